#!/usr/bin/env bash
# The official image runs this once, when it has made a new cluster.
set -euo pipefail
psql --no-psqlrc --set=ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --command 'CREATE EXTENSION IF NOT EXISTS pg_lifestream'
