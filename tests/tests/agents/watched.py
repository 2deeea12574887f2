"""Runs the example agent as it is, but for two things: its task goes to a web site first, which notes the visit, keeps it
waiting or lets it fail; and it dies after the step that is named.

    watched.py <the agent> [received|handled|emitted|committed]
"""

import importlib.util
import os
import sys
import urllib.request

spec = importlib.util.spec_from_file_location("agent", sys.argv[1])
agent = importlib.util.module_from_spec(spec)
spec.loader.exec_module(agent)
step = sys.argv[2] if len(sys.argv) > 2 else None


def then(name, function):
    """The function, which is the last one where the agent dies at that step."""

    def watched(*args, **kwargs):
        result = function(*args, **kwargs)
        if step == name:
            os.abort()
        return result

    return watched


class Consumer(agent.Consumer):
    commit = then("committed", agent.Consumer.commit)

    def poll(self, *args):
        message = super().poll(*args)
        if message is not None and not message.error() and step == "received":
            os.abort()
        return message


def handle(work, do=agent.handle):
    urllib.request.urlopen(f"{os.environ['SITE']}/page/{work['payload']['name']}", timeout=60).read()
    return do(work)


agent.Consumer = Consumer
agent.handle = then("handled", handle)
agent.Answers.emit = then("emitted", agent.Answers.emit)
agent.stopping = agent.Stopping()
agent.main()
