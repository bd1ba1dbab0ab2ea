"""Whose task is whose."""

from tidegate.gateway.tasks import MOST, Tasks


def test_a_task_is_that_servers_whose_result_began_it() -> None:
    tasks = Tasks()
    tasks.saw("files", {"task": {"taskId": "1", "status": "working"}})
    tasks.saw("time", {"taskId": "2", "status": "working"})
    assert (tasks.whose("1"), tasks.whose("2"), tasks.whose("3")) == ("files", "time", "")
    assert tasks.any_of("files")
    assert not tasks.any_of("other")


def test_a_task_that_two_servers_claim_is_nobodys() -> None:
    tasks = Tasks()
    tasks.saw("files", {"task": {"taskId": "1"}})
    tasks.saw("files", {"taskId": "1"})
    assert tasks.whose("1") == "files"
    tasks.saw("time", {"taskId": "1"})
    assert tasks.whose("1") == ""
    assert not tasks.any_of("files")
    tasks.saw("files", {"taskId": "1"})
    assert tasks.whose("1") == ""


def test_what_is_no_task_and_what_is_no_id_say_nothing() -> None:
    tasks = Tasks()
    for result in ({}, {"task": None}, {"task": {"taskId": 1}}, {"taskId": ["1"]}):
        tasks.saw("files", result)
    assert not tasks.any_of("files")
    assert tasks.whose({"taskId": "1"}) == ""


def test_no_more_tasks_are_remembered_than_there_is_room_for() -> None:
    tasks = Tasks()
    tasks.saw("time", {"taskId": "first"})
    for number in range(MOST):
        tasks.saw("files", {"taskId": str(number)})
    assert tasks.whose("first") == ""
    assert not tasks.any_of("time")
