CREATE FUNCTION lifestream.link_subject_id(url text, tenant text DEFAULT '') RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'link_subject_id_wrapper';
COMMENT ON FUNCTION lifestream.link_subject_id IS 'The subject_id of a link: one link saved twice is one subject';
