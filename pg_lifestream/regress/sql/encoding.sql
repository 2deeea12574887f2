-- In a database whose encoding is not UTF-8
\pset format unaligned
\pset tuples_only on
SELECT current_database() AS goldens \gset
CREATE DATABASE golden_latin1 ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0;
\connect golden_latin1
\set VERBOSITY terse
CREATE EXTENSION pg_lifestream;
-- a repeat is known by its names
SELECT emit_event('gemütlich', 's', 'Müller', '{}', id => '00000000-0000-4000-8000-000000000801');
SELECT emit_event('gemütlich', 's', 'Müller', '{"again": true}', id => '00000000-0000-4000-8000-000000000801');
-- messages show such text in ASCII
SELECT emit_event('t', 's', 'Müller', '{}', headers => '{"ce_ü": "x"}');
SELECT emit_event('t', 's', 'Müller', '{}', expected_version => 3);
-- one URL is one link everywhere
SELECT lifestream.link_subject_id('https://example.org/ü') = lifestream.link_subject_id('https://example.org/%C3%BC');
\connect :goldens
DROP DATABASE golden_latin1;
