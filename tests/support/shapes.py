"""Small shapes that a model is asked to fill in."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class Weather(BaseModel):
    sky: Literal["clear", "cloudy", "rain"]
    degrees: int = Field(ge=-40, le=50)


class Bill(BaseModel):
    payer: str = Field(max_length=20)
    is_paid: bool
    share: float


class People(BaseModel):
    names: list[str] = Field(max_length=4)
    eldest: str | None


class Trip(BaseModel):
    """One object in another."""

    month: Literal["April", "May", "June"]
    weather: Weather


SHAPES: dict[str, type[BaseModel]] = {
    "weather": Weather, "bill": Bill, "people": People, "trip": Trip,
}  # fmt: skip
