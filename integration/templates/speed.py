# Times Jinja2 in microseconds of processor time: the template and variables come as JSON on the
# standard input. Each line of input is answered with one measurement.
import json
import sys
import time

import jinja2

env = jinja2.Environment(trim_blocks=True)


def best(f, n):
    least = 1e9
    for _ in range(5):
        start = time.process_time()
        for _ in range(n):
            f()
        least = min(least, (time.process_time() - start) / n)
    return least * 1e6


job = json.loads(sys.stdin.readline())
template = env.from_string(job["template"])
cond = env.compile_expression(job["when"])
for _ in range(50):
    text = template.render(job["vars"])
for line in sys.stdin:
    print(json.dumps({
        "version": sys.version.split()[0] + " with Jinja2 " + jinja2.__version__,
        "render": best(lambda: template.render(job["vars"]), 100),
        "parse": best(lambda: env.parse(job["template"]), 5),
        "compile": best(lambda: env.from_string(job["template"]), 3),
        "when": best(lambda: cond(job["vars"]), 2000),
        "text": text,
    }), flush=True)
