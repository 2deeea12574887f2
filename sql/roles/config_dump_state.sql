-- A dump carries the projections that people added; CREATE EXTENSION itself brings the built-in ones.
SELECT pg_catalog.pg_extension_config_dump('lifestream.projections', 'WHERE NOT builtin');
