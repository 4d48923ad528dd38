"""The language of a training whose settings leave it to the ads."""

from dataclasses import replace

from nrl_dedup.catalogue.read import Catalogue
from nrl_dedup.config import TEXT_COLUMNS, Settings
from nrl_dedup.features.text.language_detection import detect_language
from nrl_dedup.features.text.languages import AUTO
from nrl_dedup.runtime.progress import Progress


def with_language(settings: Settings, catalogue: Catalogue, progress: Progress) -> Settings:
    """The settings with a row of `LANGUAGES` in place of `AUTO`, and one line that says which, and why."""
    text = settings.text
    if text.language != AUTO:
        return settings
    columns = [catalogue.frame[name] for name in TEXT_COLUMNS[text.text]]
    found = detect_language(columns)
    progress.say(f"Language: {found.name}, {found.reason}; --language says another.")
    return replace(settings, text=replace(text, language=found.name))
