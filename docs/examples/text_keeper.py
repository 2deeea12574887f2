#!/usr/bin/env python3
"""An agent in Python: keeps the text of each fetched page as a file.

It does what every agent does, in any language: consume a task, skip it if it is answered, do it, emit the answer under
the derived id, commit the offset. docs/agents.md says why, and how to run this one.
"""

import json
import os
import signal
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from datetime import datetime, timezone
from pathlib import Path

import psycopg
from confluent_kafka import Consumer, KafkaException, TopicPartition

# What the ids of all derived events are made in; never changes.
NAMESPACE = uuid.UUID("9991fde0-8bbf-458d-8b47-7374506b9800")
# A new version of the group does all work anew, and its answers are new facts.
GROUP = os.environ.get("TEXT_KEEPER_GROUP", "text-keeper-v1")
WORK_TYPE = "keep_text"

PREFIX = os.environ.get("KAFKA_TOPIC_PREFIX", "")
FOLDER = Path(os.environ.get("TEXT_KEEPER_DIR", "texts")).expanduser()


class Permanent(Exception):
    """Trying again cannot help."""


def handle(work):
    """The task itself. It may be called again for the same work, so it writes the same file in the same way."""
    text = work["payload"].get("text_content")
    if not isinstance(text, str):
        raise Permanent(f"text_content is {json.dumps(text)}, not a text")
    # The subject is any text: a name derived from it cannot lead out of the folder.
    path = FOLDER / f"{uuid.uuid5(NAMESPACE, work['subject_id'])}.txt"
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
    return "text.kept", {"path": str(path), "words": len(text.split())}


class Answers:
    """Writes facts into Postgres; connects again when the connection has broken."""

    def __init__(self, dsn):
        self.dsn = dsn
        self.connection = None

    def query(self, sql, parameters):
        while True:
            try:
                if self.connection is None or self.connection.closed:
                    self.connection = psycopg.connect(self.dsn, autocommit=True, application_name="text-keeper", connect_timeout=10)
                return self.connection.execute(sql, parameters).fetchone()
            except psycopg.OperationalError as error:
                print(f"PostgreSQL: {error}; trying again", file=sys.stderr)
                if stopping.asked:
                    raise SystemExit(0) from None
                if self.connection is not None:
                    self.connection.close()
                time.sleep(1)

    def exists(self, event_id):
        return self.query("SELECT EXISTS (SELECT FROM lifestream.events WHERE id = %s)", [event_id])[0]

    def emit(self, event_id, event_type, subject, subject_id, payload, work):
        try:
            self.query(
                """SELECT lifestream.emit_event(%s, %s, %s, %s::jsonb, id => %s, source => %s, tenant_id => %s,
                                                correlation_id => %s, causation_id => %s)""",
                [event_type, subject, subject_id, json.dumps(payload), event_id, f"agent/{GROUP}",
                 work.get("tenant_id", ""), work.get("correlation_id"), work.get("triggered_by_event_id")],
            )
        except psycopg.errors.UniqueViolation:
            pass  # this attempt has been answered otherwise already: the first answer counts


class Stopping:
    """Set by the first SIGINT or SIGTERM: the task at hand is finished, then the program ends."""

    def __init__(self):
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.ask)

    def ask(self, *_):
        self.asked = True


def answer(message, answers, worker, consumer):
    """One record: its answer is in Postgres when this returns."""
    try:
        work = json.loads(message.value())
        event_id = uuid.uuid5(NAMESPACE, f"result|{GROUP}|{uuid.UUID(work['id'])}")
        subject_id = work["subject_id"]
        if work["work_type"] != WORK_TYPE or not isinstance(work["payload"], dict):
            raise ValueError(f"work_type is {work['work_type']!r}, or payload is no object")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return give_up(message, error, answers)
    if answers.exists(event_id):
        return None
    try:
        event_type, payload = patiently(worker.submit(handle, work), consumer)
        subject = work.get("subject") or "link"
    except Exception as error:  # whatever goes wrong is an answer too; the router decides what becomes of it
        event_type, subject = "work.failed", "work"
        payload = {"work_message": work, "error": str(error) or type(error).__name__, "agent": GROUP,
                   "permanent": isinstance(error, Permanent), "not_before": None}
    try:
        return answers.emit(event_id, event_type, subject, subject_id, payload, work)
    except (psycopg.DataError, psycopg.errors.ProgramLimitExceeded, psycopg.errors.RaiseException) as error:
        # JSON that Postgres cannot hold, such as half a surrogate pair, or too much of it.
        return give_up(message, error, answers)


def give_up(message, error, answers):
    """A record that is no work message goes straight to the dead letters."""
    def text(octets):
        return (octets or b"").decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")

    topic, partition, offset = message.topic().removeprefix(PREFIX), message.partition(), message.offset()
    payload = {
        "work_message": {"raw": text(message.value())[:100_000], "topic": topic, "partition": partition, "offset": offset},
        "error": f"not a work message: {error}",
        "agent": GROUP,
        "failed_at": datetime.now(timezone.utc).isoformat(),
    }
    event_id = uuid.uuid5(NAMESPACE, f"malformed|{GROUP}|{topic}|{partition}|{offset}")
    # Whose the record is, nobody knows: it is a subject of its own.
    answers.emit(event_id, "work.dead_lettered", "work", f"record:{topic}/{partition}/{offset}", payload, {})


def patiently(task, consumer):
    """Waits for the task and keeps polling, so that the group does not take this member for dead meanwhile."""
    consumer.pause(consumer.assignment())
    try:
        while True:
            try:
                return task.result(timeout=0.2)
            except NotYet:
                early = consumer.poll(0)
                if early is not None and not early.error():
                    # Of a partition that was assigned just now: its turn comes later.
                    partition = TopicPartition(early.topic(), early.partition(), early.offset())
                    consumer.seek(partition)
                    consumer.pause([partition])
    finally:
        consumer.resume(consumer.assignment())


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    answers = Answers(os.environ["DATABASE_URL"])
    passed = {name[15:].replace("_", "."): value for name, value in os.environ.items() if name.startswith("KAFKA_PROPERTY_")}
    consumer = Consumer(passed | {
        "bootstrap.servers": os.environ.get("KAFKA_BROKERS", "localhost:9092"),
        "group.id": PREFIX + GROUP,
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
    })
    consumer.subscribe([f"{PREFIX}work.{WORK_TYPE}"])
    with ThreadPoolExecutor(max_workers=1) as worker:
        while not stopping.asked:
            message = consumer.poll(0.2)
            if message is None:
                continue
            if message.error():
                print(f"Kafka: {message.error()}", file=sys.stderr)
                continue
            answer(message, answers, worker, consumer)
            try:
                consumer.commit(message, asynchronous=False)
            except KafkaException as error:
                # Another member has the partition now. It will find the answer, and skip this work.
                print(f"Kafka: {error}", file=sys.stderr)
    consumer.close()


if __name__ == "__main__":
    stopping = Stopping()
    main()
