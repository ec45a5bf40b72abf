"""Words of other languages that name nothing: articles, pronouns, prepositions, verbs of being."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from orchestrator.gmn.request.tokens import words

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Of at least three letters, and no English word; shorter ones are offered to no question.
_LANGUAGES = {
    "German": (
        "der das dem des und oder aber nicht ein eine einen einem einer eines kein keine keinen ist"
        " sind waren wird werden wurde kann können konnte soll sollte muss müssen darf mag möchte"
        " haben hatte habe sein seine seinen seiner ihr ihre ihren ihrer mein meine dein deine"
        " unser sich mich dich uns euch ihm ihn ihnen wer wen wem wenn dann denn dass daß weil"
        " damit bevor nachdem während bis für von vom zum zur aus bei nach mit ohne gegen durch"
        " unter über vor hinter neben zwischen auf wie wo wohin woher warum welche welcher welches"
        " jeder jede jedes alle alles etwas nichts immer nie nur auch noch schon sehr mehr weniger"
        " als beim ins hier dort dies diese dieser dieses diesen nun mal doch zwei drei vier fünf"
    ),
    "French": (
        "les des une dans qui que quoi dont où est sont était être sera peut doit veut avec sans"
        " chez vers entre mais donc puis quand lorsque lorsqu comme parce afin elle elles ils nous"
        " vous lui leur leurs ses mes tes notre votre cette ces cet celui celle tout toute tous"
        " toutes chaque aucun aucune pas jamais toujours très moins aussi encore déjà aux sous"
        " pendant après avant deux trois quatre cinq soit ont avait fait faire aller ici"
    ),
    "Spanish": (
        "los las una unos unas del que quien cual cuando donde como porque para por con sin hacia"
        " hasta desde entre sobre pero sino está están estar ser son fue era puede pueden debe"
        " deben quiere tiene tienen hay ella ellos ellas nosotros ustedes sus mis tus este esta"
        " estos estas ese esa esos esas aquel cada todo toda todos todas algo nada nadie ningún muy"
        " más menos también siempre nunca antes después dos tres cuatro cinco hace hacer entonces"
    ),
    "Italian": (
        "gli uno una dei degli delle della dello del dal dalla nel nella nelle sul sulla che chi"
        " cui quando dove come perché per con senza verso tra fra sono era essere può possono deve"
        " devono vuole lui lei loro noi voi suo sua suoi sue mio mia questo questa questi queste"
        " quello quella ogni tutto tutti niente nulla molto più meno anche sempre mai prima dopo"
    ),
    "Portuguese": (
        "uma umas dos das nos nas pelo pela que quem qual quando onde como porque para por com sem"
        " até desde entre sobre mas está estão ser são foi pode podem deve devem quer tem têm ele"
        " ela eles elas seu sua seus suas este esta esse essa isso aquele cada tudo todos todas"
        " nada muito mais menos também sempre nunca antes depois não"
    ),
    "Dutch": (
        "het een niet geen zijn wordt worden kan kunnen moet moeten mag wil heeft hebben hij zij"
        " wij jullie hem haar hun ons mijn dit dat deze die wie wat waar waarom wanneer als dan"
        " want omdat voor van naar met zonder tegen door over onder tussen bij uit ook nog alleen"
        " altijd nooit elke alle alles iets niets"
    ),
}
#: Those that are English words too: they name nothing where the sentence has others of theirs.
_ENGLISH_TOO = words(
    "die war hat den man was pour son car par sur dos sin con des van over under door wit mag mal"
    " tout sous era ser los las per mia sue want dan wil hun dit dies fait mine come dove sole"
    " quote gift hay uno est als ours elle hem mes tes ton des will sera algo nun vers chi entre"
)
_ALSO = {"German": "die war hat den man was an", "French": "pour son car par sur"}
_LISTS = [words(f"{listed} {_ALSO.get(name, '')}") for name, listed in _LANGUAGES.items()]
_CERTAIN = 2  # different words of one language that are not English


def without_function_words(said: Iterable[str]) -> list[str]:
    """The words that may name something, in their order.

    Those of the language go that has most of them: ``dort`` is a place in German, and sleeps in
    French.
    """
    given = [(word, unicodedata.normalize("NFC", word).casefold()) for word in said]
    found = [listed.intersection(low for _, low in given) for listed in _LISTS]
    most = max(len(own - _ENGLISH_TOO) for own in found)
    dropped: set[str] = set()
    for own in found:
        certain = own - _ENGLISH_TOO
        if len(certain) == most:
            dropped |= own if most >= _CERTAIN else certain
    return [word for word, low in given if low not in dropped]
