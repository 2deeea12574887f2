-- Links saved as an application saves them, in its own transaction. With the id given, doing it again changes nothing.
BEGIN;
SELECT emit_event('link.added', 'link', lifestream.link_subject_id(url),
                  jsonb_build_object('url', url, 'title', title, 'tags', tags),
                  id => lifestream.derived_id('demonstration ' || url))
FROM (VALUES
    ('http://news.demo.localhost:8808/notices/harbour-lights', 'Notice to Mariners: Harbour Lights', '{sea}'::text[]),
    ('http://garden.demo.localhost:8808/frost-dates', 'Reading a Frost Date', '{garden,weather}'),
    ('http://kitchen.demo.localhost:8808/bread-soup', 'Bread Soup, Which Is Not Pappa al Pomodoro', '{soup,bread}')
) AS saved (url, title, tags);
COMMIT;
