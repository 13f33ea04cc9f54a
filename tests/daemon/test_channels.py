"""What the composition root gives to the channels."""

from kezd.daemon.channels import github_token
from kezd.runtime.settings import ChannelsSettings

ENVIRON = {"GITHUB_TOKEN": "secret"}


def test_the_github_token_goes_to_github_alone():
    assert github_token(ChannelsSettings(), ENVIRON) == "secret"
    assert github_token(ChannelsSettings(), {}) == ""
    for url in ("https://github.example/api/v3", "https://api.github.com.example", "http://127.0.0.1:1"):
        assert github_token(ChannelsSettings(github_api=url), ENVIRON) == ""
