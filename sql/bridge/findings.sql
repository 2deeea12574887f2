-- What the bridge has found that is not as it left it, by name, and what to do about it. A row goes as soon as the bridge finds it
-- so no more; what only a person can know to be dealt with stays until lifestream.accept_finding(name), or `lifestream reset`.
CREATE TABLE lifestream.findings (
    name        text        PRIMARY KEY,
    about       text        NOT NULL,  -- which database and topic: found in another place, it is another finding
    found       text        NOT NULL,
    remedy      text        NOT NULL,
    found_at    timestamptz NOT NULL DEFAULT now(),
    accepted_at timestamptz
);
COMMENT ON TABLE lifestream.findings IS 'What the bridge has found that is not as it left it, and what to do about it';
COMMENT ON COLUMN lifestream.findings.accepted_at IS 'when somebody said that it is known and dealt with: it is shown no more, and what it kept the bridge from goes on';
