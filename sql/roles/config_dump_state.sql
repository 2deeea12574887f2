-- A dump carries the projections and routes that people added; CREATE EXTENSION itself brings the built-in ones.
SELECT pg_catalog.pg_extension_config_dump('lifestream.projections', 'WHERE NOT builtin');
SELECT pg_catalog.pg_extension_config_dump('lifestream.routes', 'WHERE NOT builtin');
