-- Enrichments of before count as those of no known text: the next one of a link replaces them, as it did.
ALTER TABLE lifestream.link_metadata ADD COLUMN text_seq bigint NOT NULL DEFAULT 0;
