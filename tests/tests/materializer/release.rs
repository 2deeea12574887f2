//! What becomes of parked records once a person has decided: applied after all, in order, or put away.

use crate::bench::{Bench, Made, SOON, event, id, link};

/// A projection that refuses the numbers in `public.refused` and notes the others as they are applied.
const PICKY: &str = "\
CREATE TABLE public.refused (seq bigint PRIMARY KEY); \
CREATE TABLE public.applied (place serial, seq bigint, subject_id text); \
CREATE FUNCTION public.picky(e lifestream.events) RETURNS void LANGUAGE plpgsql AS $$ BEGIN \
  IF EXISTS (SELECT FROM public.refused r WHERE r.seq = e.seq) THEN RAISE EXCEPTION 'refused: %', e.seq; END IF; \
  INSERT INTO public.applied (seq, subject_id) VALUES (e.seq, e.subject_id); END $$; \
SELECT lifestream.add_projection('test.picky', 'public.picky')";

/// The numbers that were applied for a subject, in that order.
fn applied(bench: &Bench, subject: &str) -> String {
    bench.psql(&format!(
        "SELECT coalesce(string_agg(seq::text, ' ' ORDER BY place), '') FROM public.applied WHERE subject_id = '{subject}'"
    ))
}

/// What is parked: number, the number it waits behind, what was decided, tries.
fn parked(bench: &Bench) -> String {
    bench.psql(
        "SELECT coalesce(string_agg(concat_ws('/', p.seq, h.seq, p.decision, p.attempts), ' ' ORDER BY p.id), '') \
         FROM lifestream.parked p LEFT JOIN lifestream.parked h ON h.id = p.behind",
    )
}

fn picky(seq: i64, subject: &str) -> Made {
    event(seq, "test.picky", subject, "{}")
}

/// A bench where these numbers are refused, and of these records those are parked.
async fn bench(test: &str, refused: &str, records: &[Made]) -> Bench {
    let bench = Bench::new(test).await;
    bench.psql(PICKY);
    bench.psql(&format!("INSERT INTO public.refused SELECT unnest(ARRAY[{refused}]::bigint[])"));
    bench.produce(records);
    bench.settle().await;
    bench
}

#[tokio::test(flavor = "multi_thread")]
async fn retried_it_is_applied_with_what_waits_behind_it_in_order() {
    let records = [picky(1, "s"), picky(2, "s"), picky(3, "s"), picky(4, "other"), picky(5, "s")];
    let bench = bench("rel_retry", "2", &records).await;
    assert_eq!(parked(&bench), "2/1 3/2/0 5/2/0");
    let member = bench.start();
    // Refused again: it waits for another decision.
    bench.psql("SELECT lifestream.retry_parked(id) FROM lifestream.parked WHERE behind IS NULL");
    lifestream_tests::eventually(SOON, "it is refused again", || parked(&bench) == "2/2 3/2/0 5/2/0");
    assert_eq!(applied(&bench, "s"), "1");
    bench.psql(
        "DELETE FROM public.refused; SELECT lifestream.retry_parked(id) FROM lifestream.parked WHERE behind IS NULL",
    );
    bench.produce(&[picky(6, "s"), picky(3, "s")]);
    lifestream_tests::eventually(SOON, "all is applied", || applied(&bench, "s") == "1 2 3 5 6");
    member.stop().await;
    assert_eq!((parked(&bench).as_str(), bench.count("lifestream.discarded")), ("", 0));
    assert_eq!(bench.count("lifestream.event_ingest_dedupe"), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_behind_it_becomes_the_first_of_the_rest() {
    let records: Vec<_> = (1..=9).map(|seq| picky(seq, "s")).collect();
    let bench = bench("rel_chain", "1, 4, 8", &records).await;
    let retry = "SELECT lifestream.retry_parked(id) FROM lifestream.parked WHERE behind IS NULL";
    let refuse_no_more = |seq: i64| bench.psql(&format!("DELETE FROM public.refused WHERE seq = {seq}; {retry}"));
    refuse_no_more(1);
    bench.settle().await;
    assert_eq!(
        (applied(&bench, "s").as_str(), parked(&bench).as_str()),
        ("1 2 3", "4/1 5/4/0 6/4/0 7/4/0 8/4/0 9/4/0")
    );
    bench.psql("SELECT lifestream.discard_parked(id) FROM lifestream.parked WHERE behind IS NULL");
    bench.settle().await;
    assert_eq!((applied(&bench, "s").as_str(), parked(&bench).as_str()), ("1 2 3 5 6 7", "8/1 9/8/0"));
    refuse_no_more(8);
    bench.settle().await;
    assert_eq!((applied(&bench, "s").as_str(), parked(&bench).as_str()), ("1 2 3 5 6 7 8 9", ""));
    // The one that was put away stays so, however often it comes.
    refuse_no_more(4);
    bench.produce(&[picky(4, "s")]);
    bench.settle().await;
    assert_eq!(applied(&bench, "s"), "1 2 3 5 6 7 8 9");
    assert_eq!(bench.psql("SELECT event_id FROM lifestream.discarded"), id(4).to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_queue_is_let_go_in_order_by_whichever_member_while_more_comes() {
    let records: Vec<_> = (1..=1_700).map(|seq| picky(seq, if seq % 17 == 0 { "other" } else { "s" })).collect();
    let bench = bench("rel_long", "1", &records).await;
    assert_eq!(bench.count("lifestream.parked"), 1_600);
    let (one, two) = (bench.start(), bench.start());
    bench.psql(
        "DELETE FROM public.refused; SELECT lifestream.retry_parked(id) FROM lifestream.parked WHERE behind IS NULL",
    );
    for seq in 1_701..=2_000 {
        bench.produce(&[picky(seq, "s")]);
    }
    lifestream_tests::eventually(SOON, "all is applied", || bench.count("public.applied") == 2_000);
    one.stop().await;
    two.stop().await;
    let turned = "SELECT count(*) FROM (SELECT seq, lag(seq) OVER (ORDER BY place) AS before FROM public.applied WHERE subject_id = 's') a WHERE seq < before";
    assert_eq!(bench.psql(turned), "0", "out of order");
    assert_eq!((bench.count("lifestream.parked"), bench.count("lifestream.event_ingest_dedupe")), (0, 2_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_no_event_can_only_be_put_away() {
    let bench = Bench::new("rel_malformed").await;
    bench.produce(&[Made { value: Some(b"{\"id\":".to_vec()), ..link(1, "link:a") }, link(2, "link:a")]);
    bench.settle().await;
    bench.psql("SELECT lifestream.retry_parked(id) FROM lifestream.parked WHERE behind IS NULL");
    bench.settle().await;
    assert_eq!(
        bench.psql(
            "SELECT attempts, decision IS NULL, error LIKE 'not an event%' FROM lifestream.parked WHERE behind IS NULL"
        ),
        "2|t|t"
    );
    bench.psql("SELECT lifestream.discard_parked(id) FROM lifestream.parked WHERE behind IS NULL");
    bench.settle().await;
    assert_eq!((bench.count("lifestream.parked"), bench.count("lifestream.discarded")), (0, 1));
    assert_eq!(bench.psql("SELECT added_seq FROM lifestream.links"), "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projection_in_trouble_refuses_what_is_retried_and_holds_up_nobody() {
    let bench = bench("rel_trouble", "1", &[picky(1, "s"), picky(2, "s")]).await;
    bench.psql(
        "DELETE FROM public.refused; \
         CREATE FUNCTION public.limited(e lifestream.events) RETURNS void LANGUAGE plpgsql AS $$ BEGIN \
           IF e.seq = 1 THEN RAISE 'no room' USING ERRCODE = '53400'; END IF; END $$; \
         SELECT lifestream.add_projection('test.picky', 'public.limited'); \
         SELECT lifestream.retry_parked(id) FROM lifestream.parked WHERE behind IS NULL",
    );
    bench.produce(&[picky(3, "other")]);
    tokio::time::timeout(SOON, bench.settle()).await.expect("the others go on");
    assert_eq!((applied(&bench, "other").as_str(), parked(&bench).as_str()), ("3", "1/2 2/1/0"));
    assert!(bench.psql("SELECT error FROM lifestream.parked WHERE behind IS NULL").contains("53400"));
}
