"""What MIND takes of a machine, for `newsrec doctor`."""

from newsrec.news.params import FetchMind
from newsrec.preflight.examine import DataNeeds
from newsrec.preflight.needs import GB


def data_needs(mind: FetchMind) -> DataNeeds:
    """What the data set that `fetch_mind` names takes, generously."""
    if mind.source == "synthetic":
        return DataNeeds(disk=GB // 10)
    large = any("large" in name for name in mind.files)
    return DataNeeds(
        disk=(10 if large else 2) * GB,
        hub="huggingface" if mind.source == "huggingface" else None,
        instead="data=local and fetch_mind.path",
    )
