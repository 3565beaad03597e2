"""The paths of redrives, replays and jobs in the OpenAPI document."""

from typing import Any

from contracts import paths
from contracts.criteria import query_parameters
from contracts.documents.openapi_parts import id_parameter, json_of, operation
from contracts.resending import JobSearch

ONE, PREVIEW = "JobShown", "JobPreview"
ID = [id_parameter("id")]


def job_paths() -> dict[str, Any]:
    """Send again, list, read, pause, resume and cancel."""
    listed = operation("listJobs", "List redrives and replays", 200, "JobPage", headers=("Link",))
    listed["parameters"] += query_parameters(JobSearch)
    return {
        paths.REDRIVE: {
            "parameters": ID,
            "post": _resend("redrive", "Send what is dead again", "Redrive"),
        },
        paths.REPLAY: {
            "parameters": ID,
            "post": _resend("replay", "Send events of a range of time again", "Replay"),
        },
        paths.JOBS: {"get": listed},
        paths.JOB: {
            "parameters": ID,
            "get": operation("getJob", "How far a redrive or replay is", 200, ONE, also=(404,)),
        },
        paths.JOB_PAUSE: {"parameters": ID, "post": _change("pauseJob", "Pause a job")},
        paths.JOB_RESUME: {"parameters": ID, "post": _change("resumeJob", "Go on with a job")},
        paths.JOB_CANCEL: {"parameters": ID, "post": _change("cancelJob", "End a job")},
    }


def _resend(name: str, summary: str, body: str) -> dict[str, Any]:
    post = operation(
        name, summary, 202, ONE, also=(404, 409, 413, 415), body=body, headers=("Location",)
    )
    models = [json_of(each)["application/json"]["schema"] for each in (PREVIEW, ONE)]
    post["responses"]["200"] = {
        "description": "Nothing was begun: a dry run, nothing is there, or the same Idempotency-Key has"
        " made the job already, which is shown then",
        "content": {"application/json": {"schema": {"anyOf": models}}},
    }
    post["parameters"].append({"$ref": "#/components/parameters/IdempotencyKey"})
    return post


def _change(name: str, summary: str) -> dict[str, Any]:
    return operation(name, summary, 200, ONE, also=(404, 409))
