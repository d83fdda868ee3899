"""Who caused what comes later and without an address."""

from typing import Any

from codexd.routing.origins import Origins
from codexd.routing.requests import Call
from tests.routing.driver import request


def call(owner: int | None, method: str, **params: Any) -> Call:
    return Call(owner, request(1, method, params))


def test_tokens_are_refreshed_by_who_logged_in_with_them() -> None:
    """Each login takes the place of the one before, whoever made it."""
    origins = Origins()
    origins.succeeded(call(1, "account/login/start", type="chatgptAuthTokens"))
    assert origins.token_login == 1
    origins.succeeded(call(2, "account/read"))
    origins.codex_died()
    assert origins.token_login == 1
    origins.succeeded(call(2, "account/login/start", type="apiKey"))
    assert origins.token_login is None


def test_the_last_who_asked_for_a_login_at_the_gateway_is_known() -> None:
    """Until Codex dies. One that was refused takes nobody's place; one that began takes that of those before it."""
    origins = Origins()
    logins = [call(client, "account/gatewayOAuth/login") for client in (1, 2, 3, 4)]
    for login in logins:
        origins.sent(login)
    origins.sent(call(5, "account/gatewayOAuth/read"))
    assert origins.gateway_login == 4
    origins.failed(logins[3])
    assert origins.gateway_login == 3
    origins.succeeded(logins[1])
    origins.failed(logins[2])
    assert origins.gateway_login == 2
    origins.failed(logins[1])
    assert origins.gateway_login is None
    origins.sent(logins[0])
    origins.codex_died()
    assert origins.gateway_login is None


def test_set_ups_end_in_the_order_in_which_they_began() -> None:
    """One that was refused never ends, whatever else its client has begun."""
    origins = Origins()
    assert origins.take_windows_setup() is None
    setups = [call(client, "windowsSandbox/setupStart") for client in (1, 2, 1, 3)]
    for setup in setups:
        origins.sent(setup)
    origins.failed(setups[2])
    origins.failed(setups[2])
    origins.failed(call(1, "account/read"))
    assert [origins.take_windows_setup() for _ in range(4)] == [1, 2, 3, None]
    origins.sent(setups[0])
    origins.codex_died()
    assert origins.take_windows_setup() is None
