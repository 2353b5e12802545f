"""Addresses of fields: lists, wells of plates, tiles, outlines, class maps."""

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import Response

from cellwise.app.view.data.plates import class_chances, field_facts, field_list, plate_maps
from cellwise.app.view.data.question import class_code
from cellwise.app.view.drawing.outlines import packed
from cellwise.app.view.drawing.tinting import asked_channels
from cellwise.app.view.routes.asked import Channels, content, told
from cellwise.app.view.shown import Drawn, Shown

_Place = Annotated[int, Query(ge=0, le=100_000_000)]
_Text = Annotated[str, Query(max_length=2000)]


def place_of(drawn: Drawn, site_id: str) -> int:
    """The row of a field.

    Raises:
        HTTPException: 404, there is no such field.
    """
    place = drawn.opened.fields.place(site_id)
    if place is None:
        raise HTTPException(404, "There is no such field in this run.")
    return place


def routes(shown: Shown) -> APIRouter:
    """All of `/api/fields` and `/api/plates`."""
    router = APIRouter()
    _lists(router, shown)
    _pictures(router, shown)
    _overlays(router, shown)
    return router


def _lists(router: APIRouter, shown: Shown) -> None:
    @router.get("/api/plates")
    def plates(name: Annotated[str, Query(alias="class", max_length=2000)] = "") -> dict[str, Any]:
        opened = shown.now().opened
        code = told(lambda: class_code(opened.cells, name))
        return plate_maps(opened, code)

    @router.get("/api/fields")
    def fields(
        plate: _Text = "", well: _Text = "", text: _Text = "", start: _Place = 0,
        count: Annotated[int, Query(ge=1, le=500)] = 60,
    ) -> dict[str, Any]:  # fmt: skip
        opened = shown.now().opened
        return field_list(opened, (plate, well, text), slice(start, start + count))

    @router.get("/api/fields/{site_id}")
    def field(site_id: str, plate: _Text = "", well: _Text = "") -> dict[str, Any]:
        drawn = shown.now()
        site = place_of(drawn, site_id)
        return {
            **field_facts(drawn.opened, site, (plate, well)),
            "maps": drawn.maps.offered(site_id),
        }

    @router.get("/api/fields/{site_id}/probabilities")
    def probabilities(
        site_id: str, name: Annotated[str, Query(alias="class", max_length=2000)] = ""
    ) -> dict[str, Any]:
        opened = shown.now().opened
        site = place_of(shown.now(), site_id)
        code = told(lambda: class_code(opened.cells, name))
        return {"values": class_chances(opened, site, code)}

    @router.get("/api/fields/{site_id}/image")
    def about_image(site_id: str, channels: Channels = None) -> dict[str, Any]:
        """Sizes of the tiled image, contrasts, and why files are not shown; decodes the field."""
        drawn = shown.now()
        site = place_of(drawn, site_id)
        bounds = drawn.bounds()
        wanted = told(lambda: asked_channels(channels, drawn.opened.channels, bounds))
        pyramids = drawn.planes.channels(site, [one.place for one in wanted] or [0])
        return {
            "levels": [list(level.shape) for level in pyramids[0].levels],
            "source": pyramids[0].source,
            "trouble": drawn.planes.trouble(site),
            "bounds": bounds,
        }

    @router.get("/api/fields/{site_id}/contrast")
    def contrast(site_id: str) -> dict[str, Any]:
        """Dark and bright of each channel for this field by itself."""
        drawn = shown.now()
        return {"bounds": drawn.planes.own_bounds(place_of(drawn, site_id))}


def _pictures(router: APIRouter, shown: Shown) -> None:
    @router.get("/api/fields/{site_id}/tiles/{level}/{row}/{column}.jpg")
    def tile(
        site_id: str, level: int, row: int, column: int, channels: Channels = None
    ) -> Response:
        drawn = shown.now()
        site = place_of(drawn, site_id)
        bounds = drawn.bounds()
        wanted = told(lambda: asked_channels(channels, drawn.opened.channels, bounds))
        if min(level, row, column) < 0:
            raise HTTPException(404, "There is no such tile.")
        return content(drawn.tiles.tile(site, level, (row, column), wanted), "image/jpeg")

    @router.get("/api/fields/{site_id}/small.jpg")
    def small(site_id: str, channels: Channels = None) -> Response:
        drawn = shown.now()
        site = place_of(drawn, site_id)
        bounds = drawn.bounds()
        wanted = told(lambda: asked_channels(channels, drawn.opened.channels, bounds))
        return content(drawn.tiles.small(site, wanted), "image/jpeg")


def _overlays(router: APIRouter, shown: Shown) -> None:
    @router.get("/api/fields/{site_id}/outlines.bin")
    def outlines(site_id: str) -> Response:
        drawn = shown.now()
        site = place_of(drawn, site_id)
        rings = drawn.outlines.of_field(site)
        found = packed(rings, np.arange(len(rings)))
        return Response(found, media_type="application/octet-stream")

    @router.get("/api/fields/{site_id}/map.png")
    def class_map(
        site_id: str, step: _Text, name: Annotated[str, Query(alias="class", max_length=2000)]
    ) -> Response:
        drawn = shown.now()
        place_of(drawn, site_id)
        return content(drawn.maps.drawn(step, site_id, name), "image/png")
