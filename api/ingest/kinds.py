"""The kinds of events: what each is called, the schema of its data, and of whom it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pydantic import TypeAdapter

from api.ingest import payloads
from api.kit.schemas import RequestModel

Whose = Literal["member", "anyone", "nobody"]


@dataclass(frozen=True)
class Kind:
    """A kind of event. whose: of a member; of one or nobody; of nobody. personal: fields that are
    sealed under the member's key."""

    name: str
    schema: type[RequestModel]
    whose: Whose = "member"
    personal: frozenset[str] = field(init=False)
    adapter: TypeAdapter[Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "personal", payloads.personal_fields(self.schema))
        object.__setattr__(self, "adapter", TypeAdapter(self.schema))


PURCHASE: Final = Kind("purchase", payloads.Purchase)
RETURN: Final = Kind("return", payloads.Return)
KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        PURCHASE,
        RETURN,
        Kind("product.viewed", payloads.ProductView),
        Kind("page.viewed", payloads.PageView),
        Kind("screen.viewed", payloads.ScreenView),
        Kind("search.made", payloads.Search),
        Kind("cart.changed", payloads.Cart),
        Kind("checkout.changed", payloads.Checkout),
        Kind("app.session", payloads.AppSession),
        Kind("store.visited", payloads.StoreVisit),
        Kind("beacon.seen", payloads.Beacon),
        Kind("kiosk.used", payloads.Kiosk, "anyone"),
        Kind("experience.attended", payloads.Experience),
        Kind("support.contacted", payloads.Support),
        Kind("review.written", payloads.Review),
        Kind("survey.answered", payloads.SurveyAnswer),
        Kind("attendance.checked", payloads.Attendance),
        Kind("referral.made", payloads.Referral),
        Kind("mission.progressed", payloads.Mission),
        Kind("course.progressed", payloads.Course),
        Kind("group.joined", payloads.Membership),
        Kind("stock.changed", payloads.Stock, "nobody"),
        Kind("weather.observed", payloads.Weather, "nobody"),
        Kind("footfall.counted", payloads.Footfall, "nobody"),
        Kind("campaign.exposed", payloads.CampaignExposure, "anyone"),
        Kind("social.mentioned", payloads.SocialMention, "anyone"),
    )
}
