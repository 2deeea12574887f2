-- Routes that somebody dropped: CREATE EXTENSION makes the built-in ones anew, and a restore must not bring them back.
CREATE TABLE lifestream.dropped_routes (
    event_type text NOT NULL,
    work_type  text NOT NULL,
    PRIMARY KEY (event_type, work_type)
);
COMMENT ON TABLE lifestream.dropped_routes IS 'Routes that are not wanted any more, built-in ones for their life; add_route brings one back';
