-- Which function derives state from which event type. Written by add_projection and drop_projection.
CREATE TABLE lifestream.projections (
    event_type text        NOT NULL CHECK (event_type <> ''),
    function   text        NOT NULL,
    tables     regclass[]  NOT NULL DEFAULT '{}',
    builtin    boolean     NOT NULL DEFAULT false,
    added_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (event_type, function)
);
COMMENT ON TABLE lifestream.projections IS 'Projections: the materializer calls the functions of an event''s type in its transaction';
COMMENT ON COLUMN lifestream.projections.function IS 'schema-qualified and quoted name of a function f(lifestream.events) returns void';
COMMENT ON COLUMN lifestream.projections.tables IS 'the tables that it writes, named unqualified in its body; what shares a table is rebuilt together';
