# Renders template cases with the Ansible that is installed: one JSON object a line in, one out,
# in the form that "fettle template --batch" reads and writes. With the argument "native" an
# Ansible before 2.19 uses jinja2_native.
import json
import os
import resource
import signal
import sys
import warnings

warnings.simplefilter("ignore")
if "native" in sys.argv:
    os.environ["ANSIBLE_JINJA2_NATIVE"] = "1"
os.environ.update(ANSIBLE_DEPRECATION_WARNINGS="0", ANSIBLE_LOCALHOST_WARNING="0", ANSIBLE_DEVEL_WARNING="0")
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import ansible
import jinja2
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

if "ANSIBLE_COLLECTIONS_PATH" in os.environ:
    from ansible.plugins.loader import init_plugin_loader

    init_plugin_loader()

# A case may take so much of the processor and of memory; what needs more is not compared.
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))


def too_slow(*_):
    raise TimeoutError("case is too large")


signal.signal(signal.SIGPROF, too_slow)

NEW = tuple(int(n) for n in ansible.__version__.split(".")[:2]) >= (2, 19)
loader = DataLoader()

if NEW:
    from ansible.template import trust_as_template as trust
else:
    from ansible.playbook.conditional import Conditional
    from ansible.template import AnsibleEnvironment

    def trust(text):
        return text


def trusted(value):
    if isinstance(value, str):
        return trust(value)
    if isinstance(value, list):
        return [trusted(v) for v in value]
    if isinstance(value, dict):
        if list(value) == ["__dict__"]:
            return {k: trusted(v) for k, v in value["__dict__"]}
        return {k: trusted(v) for k, v in value.items()}
    return value


def when(templar, variables, text):
    if NEW:
        return templar.evaluate_conditional(trust(text))
    cond = Conditional(loader=loader)
    cond.when = [text]
    return cond.evaluate_conditional(templar, variables)


def run(case):
    variables = trusted(case.get("vars") or {})
    templar = Templar(loader=loader, variables=variables)
    text = case.get("template") or case.get("expr") or ""
    kind = case["kind"]
    if kind == "when":
        return when(templar, variables, text)
    if kind == "expr":
        text = "{{ " + text + " }}"
    if kind == "file":
        # What the template module writes.
        if NEW:
            made = templar.template(trust(text), escape_backslashes=False)
        else:
            plain = templar.copy_with_new_env(environment_class=AnsibleEnvironment)
            made = plain.template(text, escape_backslashes=False, convert_data=False)
        return "" if made is None else str(made)
    return templar.template(trust(text))


def undefined(err):
    while err is not None:
        if isinstance(err, jinja2.UndefinedError) or "Undefined" in type(err).__name__:
            return True
        err = err.__cause__
    return False


for line in sys.stdin:
    case = json.loads(line)
    signal.setitimer(signal.ITIMER_PROF, 5)
    try:
        value = run(case)
        out = {"id": case["id"], "type": type(value).__name__, "repr": repr(value)}
    except BaseException as err:
        if isinstance(err, (KeyboardInterrupt, SystemExit)):
            raise
        if isinstance(err, MemoryError):
            err = TimeoutError("case is too large")
        out = {"id": case["id"], "error": str(err).strip()[:300], "undefined": undefined(err)}
    signal.setitimer(signal.ITIMER_PROF, 0)
    answers.write(json.dumps(out) + "\n")
    answers.flush()
