# A personal pg_lifestream on this machine. Each target is one script in docker/local; `make` alone lists them.

SHELL := /bin/bash
PREFIX ?= /usr/local
export PREFIX
LOCAL := $(CURDIR)/docker/local

.PHONY: help up env down test chaos install clean
.DEFAULT_GOAL := help

help:
	@printf '%s\n' \
	  'make up        builds and starts everything: PostgreSQL with the extension, Kafka, a web site to read, lifestream; saved links become a feed' \
	  'make env       prints the settings of what runs; use it as: eval "$$(make -s env)"' \
	  'make down      stops all of it; the data stays, and `make up` goes on with it' \
	  'make test      every check and test, on throw-away servers' \
	  'make chaos     everything that may go wrong, at once, under load, for CHAOS_MINUTES (30); CHAOS_SEED=… repeats a run' \
	  'make install   the extension into this system'\''s PostgreSQL, the program into $$(PREFIX)/bin (PREFIX=$(PREFIX))' \
	  'make clean     stops all of it and removes everything that these targets made, data and builds' \
	  '' \
	  'Nothing here looks at DATABASE_URL or KAFKA_BROKERS: if you have servers of your own, run `lifestream` against them.'

up:
	@"$(LOCAL)/up.sh"

env:
	@"$(LOCAL)/env.sh"

down:
	@"$(LOCAL)/down.sh"

test:
	@"$(LOCAL)/test.sh"

chaos:
	@"$(LOCAL)/chaos.sh"

install:
	@"$(LOCAL)/install.sh"

clean:
	@"$(LOCAL)/clean.sh"
