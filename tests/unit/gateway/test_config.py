"""The settings: file, environment, and errors that say what to mend."""

from pathlib import Path

import pytest

from gateway.cautions import warnings_of
from gateway.config import Settings, adapter_class, load_settings
from gateway.environment import CODED
from gateway.problems import SettingsError, did_you_mean
from gateway.tomlfile import parse_toml, read_toml
from schema.errors import ConfigError

PLANT = '[plants.1710]\nname = "Karlsruhe"\ntime_zone = "Europe/Berlin"\n'


def load(text: str = "", environ: dict[str, str] | None = None, **options: object) -> Settings:
    """Settings of a text, as if it stood in gateway.toml."""
    return load_settings(parse_toml(text, "gateway.toml"), environ or {}, options)


def refusal(text: str = "", environ: dict[str, str] | None = None, **options: object) -> str:
    """What is said about settings that cannot be used."""
    with pytest.raises(ConfigError) as caught:
        load(text, environ, **options)
    return str(caught.value)


def test_defaults() -> None:
    """Without a file, the gateway listens at loopback, with nothing connected, and says so."""
    settings = load()
    assert (settings.host, settings.port, settings.auth, settings.deadline_ms) == (
        "127.0.0.1",
        8000,
        "none",
        5000,
    )
    assert any("No systems" in sentence for sentence in warnings_of(settings))
    assert any('auth = "none"' in sentence for sentence in warnings_of(settings))


def test_precedence() -> None:
    """An option of the command wins over the environment, which wins over the file, which wins over the default."""
    text = "port = 1\nworkers = 2\ndeadline_ms = 300\n"
    settings = load(text, {"CROSSDOCK_PORT": "5", "CROSSDOCK_WORKERS": "3"}, port=7, host=None)
    assert (settings.port, settings.workers, settings.deadline_ms, settings.host) == (7, 3, 300, "127.0.0.1")


def test_environment_reaches_into_tables() -> None:
    """A double underscore goes into a table; names match in any case, new codes are kept as written."""
    environ = {
        "CROSSDOCK_LIMITS__MAX_DEPTH": "12",
        "CROSSDOCK_PLANTS__1710__NAME": "Werk Karlsruhe",
        "CROSSDOCK_PLANTS__Zwo": '{"name": "Zwolle", "time_zone": "Europe/Amsterdam"}',
        "CROSSDOCK_CONFIG": "/etc/crossdock.toml",
        "PATH": "/bin",
    }
    settings = load(PLANT, environ)
    assert settings.limits.max_depth == 12
    assert {code: plant.name for code, plant in settings.plants.items()} == {
        "1710": "Werk Karlsruhe",
        "Zwo": "Zwolle",
    }


def test_coded_tables() -> None:
    """The tables keyed by codes are those the model says are dictionaries."""
    assert {name for name, field in Settings.model_fields.items() if field.default == {}} == CODED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\nprot = 1\n", "gateway.toml:2: prot is no setting. Did you mean 'port'?"),
        (
            "[limits]\n\nmax_dept = 3\n",
            "gateway.toml:3: limits.max_dept is no setting. Did you mean 'max_depth'?",
        ),
        ("port = 'http'\n", "gateway.toml:1: port = 'http' is refused: input should be a valid integer"),
        (
            "deadline_ms = 1\n",
            "gateway.toml:1: deadline_ms = 1 is refused: input should be greater than or equal to 50",
        ),
        ("[plants.1710]\nname = 'K'\n", "gateway.toml:1: plants.1710.time_zone is missing. Add it."),
        (
            "[plants.1710]\nname = 'K'\ntime_zone = 'Europe/Berln'\n",
            "gateway.toml:3: plants.1710.time_zone = 'Europe/Berln' is refused: no time zone of the IANA database; "
            "did you mean 'Europe/Berlin'?",
        ),
        ("host = '0.0.0.0'\n", "gateway.toml:1: host = '0.0.0.0' opens the gateway to the network"),
        (
            "[ownership]\nLott = []\n",
            "gateway.toml:2: ownership.Lott = 'Lott' is no type. Did you mean 'Lot'?",
        ),
        (
            "[ownership]\nLot = ['SAP']\n",
            "gateway.toml:2: ownership.Lot = 'SAP' is no system. Add [systems.SAP]",
        ),
        (
            "[aliases]\npo1 = '1710/1'\n",
            "gateway.toml:2: aliases.po1 = '1710/1' is no id. Write an id such as",
        ),
        (
            "[systems]\nSAP = 3\n",
            "gateway.toml:2: systems.SAP = 3 is not a table. Write a table [systems.SAP].",
        ),
        (
            "[systems.SAP]\nkind = 'ERP'\n",
            "gateway.toml:1: systems.SAP.adapter is missing. Name one of rest, tryton.",
        ),
        (
            "[systems.SAP]\nadapter = 'rset'\n",
            "gateway.toml:2: systems.SAP.adapter = 'rset' is no adapter. Did you mean 'rest'?",
        ),
        ("systems = 5\n", "gateway.toml:1: systems = 5 is refused: input should be a valid dictionary"),
    ],
)
def test_refusals(text: str, expected: str) -> None:
    """A wrong setting is named with its line, its value and the mend."""
    assert expected in refusal(text)


SAP = "[plants.1710]\nname = 'K'\ntime_zone = 'Europe/Berlin'\n[systems.SAP]\nadapter = 'rest'\nkind = 'ERP'\nbase_url = 'http://127.0.0.1'\n"


def test_policy_of_a_system() -> None:
    """Lanes, rate and budgets are tables inside the table of a system, and may come from the environment."""
    text = """\
auth = { type = "basic", username = "crossdock", password = { value = "crossdock" } }
lanes = { analytics = 0.3, background = 0.1 }
rate = { calls = 600 }
[[systems.SAP.budgets]]
name = "close"
calls = 0
time_zone = "Europe/Berlin"
month_days = [-1, 1]
start = "18:00"
end = 06:00:00
"""
    sap = load(SAP.replace("rest", "tryton") + text, {"CROSSDOCK_SYSTEMS__SAP__RATE__SECONDS": "10"}).systems[
        "SAP"
    ]
    assert sap.lanes.in_order() == (1.0, 1.0, 0.3, 0.1)
    assert sap.rate is not None
    assert (sap.rate.interval, sap.rate.most) == (10 / 600, 600)
    assert [budget.start.hour - budget.end.hour for budget in sap.budgets] == [12]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "lanes = { analytics = 0.1 }\n",
            "gateway.toml:8: systems.SAP.lanes = {'analytics': 0.1} is refused: app = 1, analytics = 0.1 and "
            "background = 0.25 must not grow in this order",
        ),
        (
            "[systems.SAP.lanes]\nanalytics = 2\n",
            "gateway.toml:9: systems.SAP.lanes.analytics = 2 is refused: input should be less than or equal to 1",
        ),
        ("rate = { call = 3 }\n", "systems.SAP.rate.call is no setting. Did you mean 'calls'?"),
        (
            "budgets = [{ name = 'x', calls = 1, time_zone = 'Berlin' }]\n",
            "systems.SAP.budgets.0.time_zone = 'Berlin' is refused: no time zone of the IANA database; write one such as",
        ),
        (
            "[[systems.SAP.budgets]]\nname = 'x'\ncalls = 1\ntime_zone = 'UTC'\nmonth_days = [1, 0]\n",
            "gateway.toml:12: systems.SAP.budgets.0.month_days.1 = 0 is refused: no day of a month; write 1 to 31",
        ),
        (
            "[[systems.SAP.budgets]]\nname = 'x'\ncalls = 1\ntime_zone = 'UTC'\nlanes = []\n",
            "gateway.toml:12: systems.SAP.budgets.0.lanes = [] is refused: tuple should have at least 1 item",
        ),
        (
            "[[systems.SAP.budgets]]\nname = 'x'\ncalls = 1\ntime_zone = 'UTC'\nstart = '25:00'\n",
            "gateway.toml:12: systems.SAP.budgets.0.start = '25:00' is refused: input should be in a valid time format",
        ),
    ],
)
def test_refused_policies(text: str, expected: str) -> None:
    """A share, a rate or a window that cannot be is said with the line to mend."""
    assert expected in refusal(SAP + text)


def test_every_problem_is_said_at_once() -> None:
    """Two mistakes are two lines, so that nobody mends one only to meet the other."""
    assert refusal("prot = 1\nhots = 'x'\n").count("\n") == 1


def test_environment_is_named_in_refusals() -> None:
    """A mistake in the environment names the variable, not the file."""
    said = refusal("port = 8000\n", {"CROSSDOCK_PORT": "many"})
    assert said.startswith("environment variable CROSSDOCK_PORT: port = 'many' is refused")
    assert "CROSSDOCK_PROT" in refusal("", {"CROSSDOCK_PROT": "1"})


def test_secrets_in_refusals() -> None:
    """A refused table that holds a secret is not shown."""
    said = refusal("[limits]\nmax_depth = { token = 'hunter2' }\n")
    assert "limits.max_depth" in said
    assert "hunter2" not in said


def test_referenced_variables_are_no_settings() -> None:
    """A variable that the file takes a secret from is not mistaken for a setting."""
    said = refusal(
        "[systems.A]\nadapter = 'x'\nauth = { env = 'CROSSDOCK_A_TOKEN' }\n", {"CROSSDOCK_A_TOKEN": "s"}
    )
    assert "CROSSDOCK_A_TOKEN" not in said


def test_public_host_is_a_decision() -> None:
    """Listening to the network needs auth = "upstream", and is said aloud at every start."""
    settings = load("host = '0.0.0.0'\nauth = 'upstream'\n")
    assert any("0.0.0.0" in sentence for sentence in warnings_of(settings))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file, a folder, bytes that are no text and broken TOML are named, with the line where there is one."""
    with pytest.raises(ConfigError, match=r"absent\.toml: cannot be read: No such file"):
        read_toml(tmp_path / "absent.toml")
    with pytest.raises(ConfigError, match="Is a directory"):
        read_toml(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_toml(tmp_path / "latin.toml")
    (tmp_path / "broken.toml").write_text("a = 1\nb = \n")
    with pytest.raises(ConfigError, match=r"broken\.toml:2: not valid TOML"):
        read_toml(tmp_path / "broken.toml")


def test_lines_of_keys() -> None:
    """Keys are found below headers, arrays of tables, inline tables and after texts of several lines."""
    text = 'a = """\n[no]\n"""\n[s.X]\nb = {c = 1}\n[[s.X.reads]]\nd = 1\n[[s.X.reads]]\n\n[s.X.reads.e]\nf = [\n1,\n]\n'
    found = parse_toml(text, "f").lines
    expected = {
        ("a",): 1,
        ("s", "X"): 4,
        ("s", "X", "b", "c"): 5,
        ("s", "X", "reads", 0, "d"): 7,
        ("s", "X", "reads", 1): 8,
        ("s", "X", "reads", 1, "e", "f"): 11,
    }
    assert {path: found.get(path) for path in expected} == expected


def test_unknown_adapter() -> None:
    """Asking for an adapter nobody registered names the nearest one."""
    with pytest.raises(LookupError, match="did you mean 'tryton'"):
        adapter_class("triton")


def test_suggestions() -> None:
    """The nearest name is suggested whatever its case; of few names all are listed; of none, that is said."""
    assert did_you_mean("PROT", ["port"]) == "did you mean 'port'?"
    assert did_you_mean("zzz", ["a", "b"]) == "known: a, b"
    assert did_you_mean("zzz", []) == "there is none"


def test_settings_error_has_problems() -> None:
    """Each problem can be taken apart by a program."""
    with pytest.raises(SettingsError) as caught:
        load("prot = 1\n")
    assert [(p.path, p.where) for p in caught.value.problems] == [(("prot",), "gateway.toml:1")]


def test_rules_of_keeping_are_of_types_of_the_model() -> None:
    """A rule for a type that is none names its place and the nearest type."""
    said = refusal("[cache.types.OrderPlaning]\nmax_age = 5\n")
    assert "cache.types.OrderPlaning" in said
    assert "OrderPlanning" in said
    system = '[systems.ERP]\nadapter = "rest"\nkind = "ERP"\nbase_url = "http://127.0.0.1:1"\nrows = {}\nreads = {}\n'
    assert "gateway.toml:8" in refusal(f"{system}[systems.ERP.cache]\nLott = {{ max_age = 5 }}\n")
    settings = load('[cache.types."*"]\nmax_age = 5\n[cache.types.Lot]\nnever_stale = true\n')
    assert settings.cache.types["Lot"].never_stale
    assert "-1" in refusal("[cache.types.Lot]\nmax_age = -1\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('redis_url = "localhost:6379"', "no address of a Redis"),
        ('redis_url = "redis://:hunter2@redis:6379"', "holds a password"),
        ('redis_url = "redis://redis"\nredis_password = {value = "hunter2"}', "written out"),
    ],
)
def test_the_redis_is_named_without_its_secrets(text: str, words: str) -> None:
    """A wrong address says what to write; a password in it is refused, and does not come back in the message."""
    said = refusal(text + "\n")
    assert words in said
    assert "hunter2" not in said
