"""Faces in both generations: upload, status, lists, and their end. FastAPI's side."""

import asyncio

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.sandbox.accounts import Accounts
from gateway.sandbox.api import keys, refusals
from gateway.sandbox.api.asking import Field, boolean, form, query
from gateway.sandbox.faces import Face, Faces, Family, NoFace, Order, looked_at
from gateway.sandbox.sessions import stamp

NAME = Field("face_name", default="untitled_avatar")
LEGACY = (NAME,)
VERSIONED = (NAME, Field("characterVersion", default="1.5"))
TRINITY = (NAME, Field("gsVersion", default="GSA_1.0", choices=("GSA_1.0", "GSA_2.0")))
PREPROCESS = (NAME, Field("retry", boolean, default=False))
STATUS = (Field("face_id"),)
PUBLIC = (Field("getPublic", boolean, default=False),)


def routes(accounts: Accounts, faces: Faces) -> list[BaseRoute]:
    """Every path of faces, of both generations."""
    return [*_legacy(accounts, faces), *_making(accounts, faces), *_made(accounts, faces)]


def _legacy(accounts: Accounts, faces: Faces) -> list[BaseRoute]:
    async def create(request: Request) -> Response:
        keys.header(accounts, request, keys.LEGACY)
        return await _queued(accounts, faces, request, Order(query(request, LEGACY)["face_name"], "legacy", "1.5"))

    async def status(request: Request) -> Response:
        keys.header(accounts, request, keys.LEGACY)
        return _status(faces, query(request, STATUS)["face_id"], "legacy")

    async def every(request: Request) -> Response:
        keys.header(accounts, request, keys.LEGACY)
        query(request, PUBLIC)
        return JSONResponse([_listed(face) for face in faces.made])

    return [
        Route("/generateFaceID", create, methods=["POST"], name="faces.create"),
        Route("/getRequestStatus", status, methods=["POST"], name="faces.status"),
        Route("/getFaceIDs", every, methods=["GET"], name="faces.list"),
    ]


def _making(accounts: Accounts, faces: Faces) -> list[BaseRoute]:
    async def legacy(request: Request) -> Response:
        keys.header(accounts, request, keys.CURRENT)
        asked = query(request, VERSIONED)
        order = Order(asked["face_name"], "legacy", asked["characterVersion"])
        return await _queued(accounts, faces, request, order)

    async def trinity(request: Request) -> Response:
        keys.header(accounts, request, keys.CURRENT)
        asked = query(request, TRINITY)
        return await _queued(accounts, faces, request, Order(asked["face_name"], "trinity", asked["gsVersion"]))

    async def preprocess(request: Request) -> Response:
        keys.header(accounts, request, keys.CURRENT)
        query(request, PREPROCESS)
        warnings = await _warned(request)
        return JSONResponse({"message": "The image can be used", "warnings": list(warnings)})

    return [
        Route("/faces/legacy", legacy, methods=["POST"], name="faces.create"),
        Route("/faces/trinity", trinity, methods=["POST"], name="faces.create"),
        Route("/faces/trinity/preprocess", preprocess, methods=["POST"], name="faces.preprocess"),
    ]


def _made(accounts: Accounts, faces: Faces) -> list[BaseRoute]:
    async def status(request: Request) -> Response:
        keys.header(accounts, request, keys.CURRENT)
        return _status(faces, query(request, STATUS)["face_id"], _family(request))

    async def delete(request: Request) -> Response:
        keys.header(accounts, request, keys.CURRENT)
        face = faces.find(request.path_params["id"], _family(request))
        if face is None:
            raise refusals.detail(404, "Face not found")
        del faces.by_id[face.id]
        return JSONResponse({"message": "Face deleted", "face_id": face.id})

    async def every(request: Request) -> Response:
        keys.header(accounts, request, keys.CURRENT)
        return JSONResponse([_shown(accounts, face) for face in faces.made])

    return [
        Route("/faces", every, methods=["GET"], name="faces.list"),
        Route("/faces/{family}/generation_status", status, methods=["GET"], name="faces.status"),
        Route("/faces/{family}/{id}", delete, methods=["DELETE"], name="faces.delete"),
    ]


async def _queued(accounts: Accounts, faces: Faces, request: Request, order: Order) -> Response:
    warnings = await _warned(request)
    behaviour = accounts.behaviour
    face = faces.add(order, warnings, takes=behaviour.face_takes, result=behaviour.face_result)
    place = f"Your face is in the queue, {faces.before(face)} before it"
    return JSONResponse({"message": place, "character_uid": face.id, "warnings": list(warnings)})


async def _warned(request: Request) -> tuple[str, ...]:
    """What the uploaded image could be better at; a refusal where it is none."""
    found = await form(request, ("image",))
    try:
        image = found.get("image")
        if not isinstance(image, UploadFile):
            raise refusals.invalid([refusals.fault(("body", "image"), "Field required", "missing")])
        return await asyncio.to_thread(looked_at, await image.read())
    except NoFace as none:
        raise refusals.detail(400, str(none)) from none
    finally:
        await found.close()


def _family(request: Request) -> Family:
    family = request.path_params["family"]
    if family not in {"legacy", "trinity"}:
        raise refusals.detail(404, "Not Found")
    return "trinity" if family == "trinity" else "legacy"


def _status(faces: Faces, id_: str | None, family: Family) -> Response:
    face = faces.find(id_, family)
    if face is None:
        raise refusals.detail(404, "No such request")
    found = {"status": face.status, "face_id": face.id, "warnings": list(face.warnings)}
    if face.status == "failed":
        found["error"] = "No face was found in the image"
    return JSONResponse(found)


def _shown(accounts: Accounts, face: Face) -> dict[str, str]:
    made = stamp(face.created)
    return {
        "id": face.id,
        "owner_id": accounts.owner,
        "simli_version": face.version,
        "created_at": made,
        "updated_at": made,
    }


def _listed(face: Face) -> dict[str, str]:
    return {
        "id": face.id,
        "name": face.name,
        "previewImage": "",
        "previewVideo": "",
        "createdAt": stamp(face.created),
    }
