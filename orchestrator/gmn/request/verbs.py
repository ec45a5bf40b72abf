"""The words with which people say what happens, to be used as ``verbs.CAUSE``."""

from __future__ import annotations

from orchestrator.gmn.request.scan import ARTICLES
from orchestrator.gmn.request.tokens import words

#: Verbs and comparisons that say that something goes up or down.
UP = words(
    "up raises raise raised higher more increases increase lifts fuller fills fill forward"
    " warmer hotter warms warm heats heat faster speeds wetter larger further louder brighter"
    " upward grows rises climbs climb rise lengthens"
)
DOWN = words(
    "down lowers lower less decreases decrease reduces reduce drops drop emptier empties back"
    " backward cooler colder cools cool chills slower slows drier dries smaller quieter dimmer"
    " downward falls sinks sink fall shrinks fades shortens"
)
#: Verbs of going from place to place.
MOTION = words(
    "drives moves goes walks jumps travels flies sails hops runs patrols visits wanders swims rides"
    " moving walking driving travels roams crawls steps patrolling flying jumping"
)
#: Verbs of what makes something happen.
CAUSE = words(
    "makes make turns turn brings bring takes take leads lead gets get puts put moves move sends"
    " send sets set changes change becomes become lets let leaves leave causes renders switches"
    " returns drives pushes pulls throws goes comes transforms converts shifts results flips ends"
)
FIX = words("fixes fix cures cure helps help heals heal clears solves restores relieves soothes")
BETTER = words("better improves improve recovers")
WORSE = words("worse worsens worsen deteriorates degrades decays")
SHOWS = words("looks look shows show sounds sound reads read appears smells feels seems")
WHEN = words("when if from while whenever where of once")
ALONE = words("alone itself otherwise untreated unattended naturally")
STEPS = words("step steps notch notches level levels floor floors")
#: What makes it happen sometimes only.
CONDITIONS = words(
    "when if while whenever where once unless except until during only sometimes often usually"
    " mostly rarely seldom occasionally"
)
WISHES = words(
    "never not cannot must should want wants wanting wish likes prefers preferring hoping avoid"
    " avoids goal keep sad unhappy angry furious upset nervous happy glad delighted"
)
OPPOSITE = words("opposite reverse around")
#: What may stand before the action of a segment, and what says nothing in it.
LEADING = ARTICLES | words("- * \u2022 then and from")
SILENT = ARTICLES | words(
    "it him her them to into in on at one by step steps with probability one's be being is are back"
    " me us always every time and then thing further along towards toward for"
)
#: Verbs that say that something happens.
HAPPENS = (CAUSE | FIX | UP | DOWN | ALONE | STEPS) - MOTION
#: Signs between an action and what it does, as in ``feed - it grows``.
DASHES = frozenset(("-", "\u2013", "\u2014"))
SIGNS = DASHES | {":", "=", "\u2192"}
