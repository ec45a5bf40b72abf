"""A Redis server in `router_settings`: named as a whole, or refused before anything is asked."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator import ConfigError, Orchestrator
from orchestrator.config.settings import Config
from orchestrator.models.deployments import deployments_of
from orchestrator.routing.build import router_arguments
from tests.support.wire import configured


def stated(**settings: Any) -> dict[str, Any]:
    made: Any = configured("http://127.0.0.1:9", "m")
    made["router_settings"] |= settings
    return dict(made)


@pytest.mark.parametrize(("port", "used"), [(None, 6379), (7000, 7000), ("", 6379)])
def test_a_host_without_port_is_at_the_usual_one(port: Any, used: int) -> None:
    config = Config.model_validate(
        stated(redis_host="db", **({} if port is None else {"redis_port": port}))
    )
    made = router_arguments(config, deployments_of(config, {}))
    assert (made["redis_host"], made["redis_port"]) == ("db", used)


def test_an_address_stays_as_it_is() -> None:
    config = Config.model_validate(stated(redis_url="redis://db:7000/1"))
    made = router_arguments(config, deployments_of(config, {}))
    assert made["redis_url"] == "redis://db:7000/1"
    assert "redis_port" not in made


@pytest.mark.parametrize("part", ["redis_port", "redis_password", "redis_db"])
async def test_a_part_of_no_server_is_refused(part: str) -> None:
    with pytest.raises(ConfigError, match=f"{part} is of no server. State redis_url or redis_host"):
        async with Orchestrator(stated(**{part: 1})):
            pass
