"""Times what is in this folder: elsewhere the project's options switch pytest-benchmark off."""

import pytest


@pytest.hookimpl(tryfirst=True)  # the plugin reads its options in the same hook
def pytest_configure(config: pytest.Config) -> None:
    """Switches it on, unless this very command line says otherwise."""
    if "--benchmark-disable" not in config.invocation_params.args:
        config.option.benchmark_disable = False
