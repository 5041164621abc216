import json

from tests.agent.world import World


def test_preview_shows_a_sample_id_until_there_is_one(world: World) -> None:
    done = world.run("preview", "Instance Active")
    assert "a sample" in done.err
    assert json.loads(done.out)["properties"]["instanceId"].startswith("00000000")
    world.run("beat")
    done = world.run("preview", "Instance Active")
    assert done.err == ""
    assert json.loads(done.out)["anonymousId"] == world.run("status", "--json").json["instanceId"]


def test_preview_says_what_is_a_sample(world: World) -> None:
    world.run("beat")
    for words in (["preview"], ["preview", "Installation Started"]):
        assert world.run(*words).err.count("are samples\n") == 1


def test_preview_says_the_settings_in_force(world: World) -> None:
    world.env_file("ROLLCALL_PRODUCT=Shop\nROLLCALL_PRODUCT_VERSION=3\nROLLCALL_ENVIRONMENT=test\n")
    (world.root / "etc/os-release").write_text("ID=debian\nVERSION_ID=12\n")
    shown = json.loads(world.run("preview", "Installation Started").out)
    assert shown["context"]["app"] == {"name": "Shop", "version": "3"}
    assert shown["context"]["os"] == {"name": "debian", "version": "12"}
    assert shown["context"]["installation"]["environment"] == "test"
    assert shown["properties"] == {"os": "debian"}
