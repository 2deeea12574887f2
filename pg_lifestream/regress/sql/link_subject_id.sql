-- One link is one subject
\pset format unaligned
\pset tuples_only on
SELECT lifestream.link_subject_id('https://example.org/a');
SELECT lifestream.link_subject_id('https://example.org/a') = 'link:' || encode(sha256('\x00'::bytea || 'https://example.org/a'::bytea), 'hex');
SELECT lifestream.link_subject_id('https://example.org/a', 'acme') = 'link:' || encode(sha256('acme'::bytea || '\x00'::bytea || 'https://example.org/a'::bytea), 'hex');
-- the URL that is hashed
CREATE FUNCTION is_link(url text, hashed text) RETURNS boolean LANGUAGE sql AS
$$SELECT lifestream.link_subject_id(url) = 'link:' || encode(sha256('\x00'::bytea || convert_to(hashed, 'UTF8')), 'hex')$$;
SELECT url, is_link(url, hashed) FROM (VALUES
    ('HTTPS://EXAMPLE.org:443/a', 'https://example.org/a'),
    ('http://example.org:80', 'http://example.org/'),
    ('https://example.org:8443/', 'https://example.org:8443/'),
    ('  https://example.org/a  ', 'https://example.org/a'),
    ('https://example.org/a#part', 'https://example.org/a'),
    ('https://example.org/a/../b/./c', 'https://example.org/b/c'),
    ('https://example.org/%7euser/ä b', 'https://example.org/%7euser/%C3%A4%20b'),
    ('https://bücher.example/', 'https://xn--bcher-kva.example/'),
    ('https://user:pw@example.org/', 'https://user:pw@example.org/'),
    ('http://0x7f.1/', 'http://127.0.0.1/'),
    ('https://example.org/?b=2&a=1', 'https://example.org/?b=2&a=1'),
    ('https://example.org/?', 'https://example.org/?'),
    ('https://example.org/?a&&b=', 'https://example.org/?a&&b='),
    ('https://example.org/?utm_source=x', 'https://example.org/'),
    ('https://example.org/?UTM_Campaign=x&b=%2F+1&fbclid=y&a', 'https://example.org/?b=%2F+1&a'),
    ('https://example.org/?gclid', 'https://example.org/'),
    ('https://example.org/?utm=1&gclidx=2&q=utm_source', 'https://example.org/?utm=1&gclidx=2&q=utm_source'),
    ('https://example.org/?a=1&utm_medium=x#f', 'https://example.org/?a=1'),
    ('https:example.org/a', 'https://example.org/a'),
    ('https://example.org\a', 'https://example.org/a')) links (url, hashed);
-- refused
SELECT attempt(format('SELECT lifestream.link_subject_id(%L)', url)) FROM unnest(ARRAY['', 'example.org/a', '/a', 'ftp://example.org/', 'mailto:a@example.org', 'javascript:alert(1)',
    'https://', 'http://a b/', 'https://example.org:99999/', 'http://[::1', 'https://exa<mple.org/', 'https://' || repeat('a', 300)]) url;
SELECT attempt($$SELECT lifestream.link_subject_id('https://example.org/' || repeat('a', 70000))$$);
SELECT lifestream.link_subject_id(NULL) IS NULL, lifestream.link_subject_id('https://example.org', NULL) IS NULL;
SELECT provolatile, proisstrict, proparallel FROM pg_proc WHERE oid = 'lifestream.link_subject_id'::regproc;
-- it can be a generated column
CREATE TABLE bookmarks (url text, subject_id text GENERATED ALWAYS AS (lifestream.link_subject_id(url)) STORED);
INSERT INTO bookmarks VALUES ('https://example.org/a?utm_source=b');
SELECT subject_id = lifestream.link_subject_id('https://example.org/a') FROM bookmarks;
DROP TABLE bookmarks;
