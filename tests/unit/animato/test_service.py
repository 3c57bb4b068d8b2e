"""`animato up`: which programs it runs, and with what."""

from pathlib import Path

from animato.service import service_programs


def test_bot_comes_first_and_each_worker_has_a_name() -> None:
    assert [program.name for program in service_programs({}, 1)] == ["bot", "worker"]
    programs = service_programs({"ANIMATO_REDIS_URL": "redis://here"}, 2)
    assert [program.name for program in programs] == ["bot", "worker-1", "worker-2"]
    assert [program.command[-1] for program in programs] == ["bot", "worker", "worker"]
    assert {program.environment["ANIMATO_REDIS_URL"] for program in programs} == {"redis://here"}
    assert not any("ANIMATO_METRICS_PORT" in program.environment for program in programs)


def test_each_program_serves_its_metrics_at_a_port_of_its_own() -> None:
    ports = [
        program.environment["ANIMATO_METRICS_PORT"] for program in service_programs({}, 2, 9100)
    ]
    assert ports == ["9100", "9101", "9102"]


def test_secrets_of_the_bot_are_the_bots_alone() -> None:
    secrets = {"ANIMATO_BOT_TOKEN": "4242:abc", "animato_webhook_secret": "secret"}
    bot, worker = service_programs({**secrets, "PATH": "/bin"}, 1)
    assert bot.environment == {**secrets, "PATH": "/bin"}
    assert worker.environment == {"PATH": "/bin"}


def test_programs_run_where_they_are_told() -> None:
    assert {one.folder for one in service_programs({}, 1, folder=Path("elsewhere"))} == {
        Path("elsewhere")
    }
