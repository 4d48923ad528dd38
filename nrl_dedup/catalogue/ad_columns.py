"""The columns of an ad that every catalogue is read for: its id, its texts and its photos."""

from collections.abc import Mapping

from nrl_dedup.catalogue.files.wanted_columns import WantedColumn
from nrl_dedup.catalogue.usual_names import DESCRIPTION_NAMES, ID_NAMES, PHOTO_NAMES, TITLE_NAMES


def wanted_of_ads(names: Mapping[str, str | None], may_lack: bool) -> dict[str, WantedColumn]:
    """By what each is called in `tables.CATALOGUE`.

    :param names: by the same, what the user calls it; None: one of its usual names. :param may_lack: as in
        `WantedColumn`.
    """
    return {
        "item_id": WantedColumn(
            "--id-column", ID_NAMES, names["item_id"], identifier=True, may_lack=may_lack
        ),
        "title": WantedColumn(
            "--title-column",
            TITLE_NAMES,
            names["title"],
            required=False,
            joint="\n",
            may_lack=may_lack,
        ),
        "description": WantedColumn(
            "--description-column",
            DESCRIPTION_NAMES,
            names["description"],
            required=False,
            joint="\n",
            may_lack=may_lack,
        ),
        "photos": WantedColumn(
            "--photo-column",
            PHOTO_NAMES,
            names["photos"],
            required=False,
            joint=None,
            may_lack=may_lack,
        ),
    }
