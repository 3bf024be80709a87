"""The languages that Simli hears: its `language` takes Deepgram's codes and chooses the speech-to-text model by them.

Of Deepgram's Nova-2 and Nova-3, as its "Models & Languages Overview" and changelog had them until August 2026:
https://developers.deepgram.com/docs/models-languages-overview. Which of the two Simli uses, it does not say.
"""

CHECKED = "2026-08"
SOURCE = "https://developers.deepgram.com/docs/models-languages-overview"
_LISTED = """
    af ar ar-AE ar-DZ ar-EG ar-IQ ar-IR ar-JO ar-KW ar-LB ar-MA ar-PS ar-QA ar-SA ar-SD ar-SY ar-TD ar-TN be bg bn bs ca
    cs da da-DK de de-CH el en en-AU en-GB en-IN en-NZ en-US es es-419 et fa fi fr fr-CA gu gu-IN he hi hr hu hy id it
    ja ka kn ko ko-KR lt lv mk mr ms multi ne nl nl-BE no pa pa-IN pl pt pt-BR pt-PT ro ru sk sl sr sv sv-SE ta te th
    th-TH tl tr uk ur vi zh zh-CN zh-HK zh-Hans zh-Hant zh-TW
"""
CODES = frozenset(_LISTED.split())
_CANONICAL = {code.lower(): code for code in CODES}
_OTHER_NAMES = {
    "nb": "no",
    "nn": "no",
    "fil": "tl",
    "cmn": "zh",
    "yue": "zh-HK",
    "iw": "he",
    "in": "id",
    "zh-sg": "zh-CN",
}
"""BCP 47's for what Deepgram calls otherwise, and retired ones."""
_AMERICA = "419 ar bo cl co cr cu do ec gt hn mx ni pa pe pr py sv us uy ve"
_AMERICAN = frozenset(_AMERICA.split())
"""Countries whose Spanish is es-419."""


def code(tag: str) -> str | None:
    """Deepgram's code for a BCP 47 tag: its own spelling, else that of a shorter tag; None: unheard."""
    parts = tag.lower().replace("_", "-").split("-")
    if parts[0] == "es" and len(parts) > 1 and parts[-1] in _AMERICAN:
        return "es-419"
    while parts:
        name = "-".join(parts)
        if found := _CANONICAL.get(name) or _OTHER_NAMES.get(name):
            return found
        parts.pop()
    return None
