"""The words by which a request is held to need current information, in several languages."""

from __future__ import annotations

import re

from orchestrator.types.pattern import pattern


def _words(text: str) -> re.Pattern[str]:
    """Any of the alternatives, as whole words; lines are joined without a blank."""
    joined = "".join(line.strip() for line in text.splitlines())
    return pattern(rf"(?<![\w'])(?=\w)(?:{joined})(?!\w)", re.I)


#: The user asks for a search.
ASKED = _words(
    r"""
    (?:search|browse|check|look(?: it)?(?: up)?|find)(?: \w+){0,3} (?:online|the web|
    the internet)|web search|look up|online nachsehen|im (?:internet|netz)|check online|
    (?:busca|buscar) en (?:internet|la web)|cherche[rz]? sur (?:internet|le web)
"""
)
#: Days and times that move with today.
MOMENT = _words(
    r"""
    right now|rn|now|nowadays|currently|today(?:'s)?|tonight(?:'s)?|yesterday(?:'s)?|
    tomorrow(?:'s)?|(?:these|the (?:last|past) (?:few )?) ?days|(?:at|for) the moment|
    at present|as of (?:now|today|\d{4})|so far|lately|recently|up[- ]to[- ]date|
    any (?:updates?|news)|to date|by now|still|
    (?:mon|tues|wednes|thurs|fri|satur|sun)day's|(?:again|been \w+) yet|
    (?:this|last|next|coming|past) (?:night|
    morning|afternoon|evening|week|weekend|month|quarter|season|year|monday|tuesday|wednesday|
    thursday|friday|saturday|sunday)(?:'s)?|(?:on|by|until|since|before) (?:mon|tues|wednes|
    thurs|fri|satur|sun)day|(?:in|since|on|by) (?:january|february|march|april|may|june|july|
    august|september|october|november|december)(?! \d{4})|this (?:spring|summer|autumn|fall|
    winter|term|fiscal year)|(?:coming|upcoming) \w+|ce week-end|este fin de semana|
    am (?:wochenende|montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonntag)|heute|gestern|
    morgen|gerade|derzeit|zurzeit|momentan|jetzt|aktuell|inzwischen|mittlerweile|
    diese[nrsm]? (?:woche|monat|jahr|
    saison|wochenende)|neulich|kürzlich|letzte[nrsm]? (?:woche|monat|nacht|jahr|saison)|
    nächste[nrsm]? (?:woche|monat|jahr)|hoy|ayer|mañana|ahora(?: mismo)?|actualmente|
    est[ae] (?:semana|mes|año)|últimamente|aujourd'hui|hier|demain|maintenant|actuellement|
    en ce moment|cette (?:semaine|année|saison)|ce (?:mois|soir|matin)|oggi|ieri(?: sera)?|
    (?:le|ce|di|questo|el|este|op|na|no) (?:lundi|mardi|mercredi|jeudi|vendredi|samedi|
    dimanche|lunedì|martedì|mercoledì|giovedì|venerdì|sabato|domenica|lunes|martes|miércoles|
    jueves|viernes|sábado|domingo|maandag|dinsdag|woensdag|donderdag|vrijdag|zaterdag|zondag|
    segunda|terça|quarta|quinta|sexta)|
    domani|adesso|ora|attualmente|hoje|ontem|amanhã|agora|vandaag|morgen|gisteren|momenteel
"""
)
#: Adjectives that say the same of a thing.
_FRESH = r"""
    latest(?!-)|newest|(?:last|next)(?= (?:\w+ )?(?-i:[A-Z]))|current|(?:most )?recent|upcoming|
    this year's|live|the new(?= [\w-]*(?-i:[A-Z\d]))|new(?= (?:version|release|rules?|law|model|
    drugs?|album|season))|breaking|present[- ]day|actual(?:es)?|aktuell(?:e|er|en|es|em|
    ste[nrs]?)|neu(?:este|ste|sten|ester|estes)[nrs]?|jüngste[nrsm]?|derzeitige[nrsm]?|
    heutige[nrsm]?|últim[oa]s?|recientes?|derni[eè]re?s?|actuel(?:le)?s?|récente?s?|ultim[oaie]|
    attual[ei]|atua(?:l|is)|laatste|huidige
"""
FRESH = _words(_FRESH)
#: Things that change from day to day, or from year to year.
_TOPIC = r"""
    (?:exchange|interest|mortgage|inflation|unemployment|crime|birth)? ?rates?|prices?|
    pric(?:ed|ing|ey|e tag)|costs?|market caps?|market capitali[sz]ation|worth|expensive|
    cheap(?:er|est)|inflation(?: figures?)?|stocks?|shares?|yields?|earnings|bitcoin|ethereum|
    crypto\w*|s&p ?500|dax|nasdaq|dow jones|nikkei|ftse|rents?|wages?|salar(?:y|ies)|tax\w*|
    subscriptions?|[a-z]{3}/[a-z]{3}|interest|tariffs?|gold|oil|fares?|gdp|dollars?|euros?|
    pounds?|yen|budgets?|deadlines?|unemployment|airlines?|party|sanctions?|decisions?|medals|
    queues?|scandal|bill|agreement|protests?|disputes?|negotiations?|merger|lawsuit|trial|
    president|prime minister|chancellor|minister|mayor|governor|ceo|cfo|cto|chair(?:man|woman|
    person)?|king|queen|pope|coach|champions?|secretary[- ]general|head of state|members|
    parliament|government|holder|world record|elections?|polls?|cabinet|in office|scores?|
    match(?:es)?|standings|odds|finals?|league|bundesliga|nba|nfl|premier league|formula (?:1|
    one)|fixtures?|line-?up|won|wins?|injur(?:y|ed|ies)|transfers?|qualif\w+|table|tournament|
    medals?|weather|forecasts?|rain(?:ing|y)?|snow(?:ing)?|storms?|warnings?|temperatures?|warm|
    cold|humidity|umbrella|pollen|air quality|earthquakes?|wildfires?|floods?|hurricanes?|
    outages?|strikes?|war|incidence|(?:case )?counts?|guidance|recalls?|bans?|guidelines?|
    rights|(?:go|goes|going|sells?) for|
    outbreaks?|closures?|delays?|traffic|road ?works|tides?|sunset|sunrise|cases|safe|
    casualties|ceasefire|peace talks|news|headlines?|developments?|updates?|announce\w*|events?|
    happen\w*|papers?|publi(?:shed|cations?)|research|results?|studies|reviews?|trends?|
    trending|conferences?|summit|vulnerabilit(?:y|ies)|cves?|laws|rules? on|regulations?|visa|
    advice|job openings|nominees|box office|movies?|concerts?|playing|models? of|downloaded|
    popular|ratified|decid(?:e|ed)|cut|raised|launch(?:ed|es)?|status|contained|figures|
    statistics|(?:stable )?versions?|releas(?:e|ed|es)|lts|updates?|patch(?:es)?|iphone|pixel|
    models|stable|out|supported|drivers?|firmware|population|open(?:ing)?(?: hours)?|closed?|
    closes|hours|trains?|flights?|bus(?:es)?|timetable|available|in stock|live in|largest|
    tallest|richest|biggest|deals?|orbit|schedules?|tickets?|wetter|preise?|kurse?|kostet|
    kosten|zins(?:en|satz)?|\w*kurs|(?:bundes)?kanzler(?:in)?|präsident(?:in)?|bundespräsident|
    nachrichten|gespielt|gewonnen|spielstand|tabelle|offen|geöffnet|öffnungszeiten|wahl(?:en)?|
    version|\w*minister(?:in)?|regnet|stau|inflation|börse|aktien?|meldungen|
    bürgermeister(?:in)?|mindestlohn|liter|\w*preise?|verspätung(?:en)?|precios?|dólar|noticias|
    elecciones|president[ea]|ministr[oa]|tiempo|versión|cotización|partido|ganó|resultados?|
    clima|tipo de cambio|prix|cours|météo|temps|président(?:e)?|premi[eè]re? ministre|
    actualités|nouvelles|élections?|score|gagné|bourse|taux|maire|ouvert(?:e|s|es)?|prezz[oi]|
    notizie|partita|vinto|tempo(?: fa)?|versione|presidente|elezioni|preço|notícias|eleições|
    jogo|cotação
"""
TOPIC = _words(_TOPIC)
_OFFICE = r"""
    (?:vice[- ])?president|prime minister|premier|chancellor|(?:\w+ )?minister|mayor|governor|
    ceo|cfo|cto|king|queen|pope|(?:head )?coach|manager|chair\w*|secretary[- ]general|head|
    leader|director|speaker|ambassador|captain|richest \w+
"""
#: Questions that mean today although they do not say so.
STANDING = _words(
    r"""
    who(?:'?s| is| are)(?: the| a)?(?: \w+){0,2} (?:@OFFICE@)(?: of| at)? \S+|
    who(?:'?s| is)(?: the)? (?:@OFFICE@)|who (?:leads|runs|heads|governs|owns|coaches|chairs|
    holds)|how old (?:is|are) (?!the (?:universe|earth|sun|moon))\w+|
    (?:what(?:'?s| is| are)(?: the)? )?(?:opening|business|visiting) (?:hours|times)|(?:is|
    are)(?: the| my| a)?(?: [\w'&.-]+){1,5} (?:open|closed|down|running|injured|in stock|
    available|safe to|blocked|delayed|cancell?ed|working|sold out|on strike|having problems|
    still \w+)|(?:when(?:'?s| is| are| does)|wann (?:ist|beginnt|kommt|fährt)|cuándo (?:es|
    sale)|quand est) (?:the|der|die|das|el|la|le)? ?(?:next|nächste[rs]?|próxim[oa]|prochaine?)|
    what time (?:does|do|is|are) .{1,80}? (?:close|open|leave|arrive|start|on)|going rate|(?:dollar|
    euro|pound|yen|franc|peso|rupee|yuan)s? (?:stand|trade|doing|worth|against|to the|in)|
    (?:current|world|national|olympic|reigning) (?:\w+ )?(?:record|champion|holder)s?|
    (?:give me |any ?thing |what(?:'?s| is) )?the latest (?:on|about|from)|who (?:was|got|
    has been|were) (?:elected|appointed|awarded|nominated|named|fired|chosen)|(?:how much (?:is|
    are)|a cuánto está|cuánto está) (?:the |an? |el |la )?(?:\w+ )?(?:dollars?|euros?|pounds?|
    yen|pesos?|rupees?|bitcoin|ether\w*|francs?|yuan|rupees?|gold|silver|dólar)|is it safe|
    safe to (?:travel|visit|fly)|travel (?:advice|warnings?|restrictions)|
    do i (?:still )?need (?:a visa|an umbrella|a permit)|when (?:is|are|does|do|
    will)(?: the| my) next|when (?:does|do)(?: the)?(?: (?!it )[\w.-]+){1,5} (?:close|open|
    leave|arrive)|(?:will|does|is) it (?:going to )?(?:rain|snow|raining|snowing|storm)|
    (?:\w+ )?(?:storm|flood|heat|snow) warnings? for|(?:the )?(?:weather|forecast|
    pollen(?: count)?|temperature|air quality) (?:in|for|at|on) \S+|(?:pollen count|weather|
    meteo|météo|wetter) \w+$|how did (?:the )?(?:nikkei|dax|dow|nasdaq|ftse|s&p\S*|markets?|
    \w+ shares?) (?:close|end|do|open)|how much (?:is|are|does|do|
    for)(?: an?| the)? \S++.{0,80}?(?:costs?|subscription|ticket|worth|now)|how much (?:does|
    do) .{1,80}? cost|what (?:does|do) .{1,80}? (?:cost|say about)(?! mean)(?:.{0,80}(?:check|
    online|
    per \w+))?|(?:prices?|cost) of (?:an? |the )?[\w ]{1,60}? (?:in|on|at) \w+|(?:cheapest|
    best) (?:flight|price|deal|offer|hotel)s?|[a-z]{3} to [a-z]{3}$|who won the (?:most recent|
    last|latest)|who (?:leads|tops)|which \w+ (?:leads|tops)|(?:score|
    result) of the (?!(?:\w+ )?(?:dice|test|function|query|operation|exam))\w+|(?:which|
    what) (?:\S+ )?(?:version|release) (?:of|is|for)|is there a newer|(?:is|
    has) .{1,80}? (?:been released|out yet|released yet)|when does support for|(?:which|
    how many) \w+ (?:have|has) (?!to|a|the)\w+(?:ed|en|ne)|where can i (?:watch|buy|book|see|
    get)|(?:analysts|experts|critics|markets) (?:\w+ )?(?:say\w*|expect\w*)|
    wait(?:ing)? times? (?:at|in|for)|did (?:the )?\w+(?: \w+)? (?:win|lose|score|resign|pass|
    sign|beat|draw|play)|who(?:'?s| is) (?:top|first|last) (?:of|in)|
    ^(?:the |compare (?:the )?)?(?:prices?|costs?|kurs|preis|precio|prix|cours|
    cotización) (?:of|der|des|von|de|del|du|für|per)|when (?:do|does|will) the (?:clocks?|
    shops?|school|season|sales?|results?|exams?|\w+ (?:go|start|end|open|close))|wie teuer ist|
    traffic (?:on|in|at)|(?:which|what|who) (?:\w+ )?(?:offers?|sells?|pays|charges) the|
    going around|(?:is|are) .{1,80}? (?:falling|rising|going (?:up|down)|heading|ahead|leading|
    winning|spreading)|(?:has|have|hat|ha) .{1,80}? (?:passed|resigned|died|gewonnen|ganado|gagné|
    vinto|won|lost|signed|agreed)|(?:what(?:'?s| is) )?(?:the )?status of the (?!variable|
    object|thread|process)\w+|breaking news (?:about|on|from)|state[- ]of[- ]the[- ]art (?:on|
    in|for)|what(?:'?s| is) (?:trending|playing|on at|new (?:in|at|with))|how many (?:people|
    countries|satellites|users|employees|\S+ \w+) (?:live|have|are in)|
    who(?:'?s| is| are) (?:\w+ing|ahead|in charge)|(?:what|who)(?:'?s| is| has) (?:happen\w+|
    going on)|who (?:took over|has taken over|replaced|succeeded|will (?:be|replace|play|win))|
    (?:which|what|how many) (?:\w+ )?(?:countries|cities|companies|airlines|banks|teams|shops|
    services?|stores) (?:have|has|are|accept|offer|allow|require|ban|sell|fly|still)|
    how (?:strong|weak|high|low|busy|bad|full|good|popular|many new) (?:is|
    are) (?:the )?(?:@TOPIC@)|(?:is|are) there(?: any| an?| still| new){0,3} (?:\w+ )?(?:@TOPIC@)|
    what(?:'?s| is) the price of(?! an? (?:\w+ )?(?:option|call|put|bond))|
    (?:wer|qui|quién) (?:führt|leitet|dirige|preside)|
    ^(?:has|have) (?:the |(?-i:[A-Z])).+ (?:been \w+|\w+ed)(?= |\?)|
    (?:is|are|how's) .{1,80}? (?:turning out|shaping up|holding up|coming along)|
    job openings|people (?:are )?saying about the new|phone number of|reviews of|
    are people saying about|the new iphone|wer ist(?: der| die)?(?: \w+)? (?:\w*kanzler|
    \w*präsident|\w*minister|chef|trainer)(?:in)?|was kostet|wie (?:ist|wird) das wetter|
    wie spät|wann (?:fährt|öffnet|schließt)|wie steht(?:s| es)?|wer hat .{1,80} gewonnen|
    öffnungszeiten|quién es (?:el|la) (?:president|primer|ministr|alcald|rey)\w*|
    cuánto (?:cuesta|vale)|qué tiempo (?:hace|hará)|a qué hora (?:abre|cierra)|qui est (?:le|
    la) (?:président|premi|ministre|maire|roi|pdg)\w*|combien coûte|quel temps (?:fait|fera)|
    chi è (?:il|la) (?:president|premier|ministr|sindac)\w*|quanto costa|che tempo (?:fa|farà)|
    quem é [oa] (?:\w+-)?(?:president|primeir|ministr|treinador|governador|rei|diretor|prefeit)\w*|
    quanto (?:custa|está|vale)|
    (?:was|were|has) there (?:been )?(?:an? |any )?(?:\w+ )?(?:@TOPIC@)|
    how(?:'s| is| are)(?: the)? (?!you|your|it\b)[\w' -]{1,40}? (?:doing|looking|getting on)|
    what did (?:the )?(?-i:[A-Z])\w+ (?:announce|decide|promise|unveil|launch|release|report)|
    (?:has|have) (?:an? |the )(?:new )?\w+ been|where (?:do|does) [\w' -]{1,40}? stand|
    where are we (?:with|on)|how far along|
    how long (?:is|are) the (?:queue|line|wait|delay)s?|did they (?:ever |finally )?(?:find|catch|
    agree|reach|solve|recover)|wer wurde [\w ]{1,40}? (?:gewählt|ernannt|befördert|entlassen)|
    (?:ist|sind) [\w .-]{1,40}? (?:gesperrt|geöffnet|geschlossen|befahrbar|verspätet|ausverkauft|
    lieferbar|auf|zu)\W*$|(?:welche \w+|wer) (?:führt|liegt vorne?)|où en (?:est|sont)|
    (?:est|sont)-(?:il|elle|ce)s? (?:ouvert|fermé|bloqué|retardé|disponible|en grève)\w*|
    qui est (?:l'entraîneur|l'actuel|le patron|le directeur|la directrice|à la tête)|
    quién es el (?:entrenador|jefe|director|papa)|chi è (?:l'allenatore|il direttore|il papa)|
    wie is (?:de|het) (?:\w+ )?(?:minister|premier|president|burgemeester|koning|trainer|coach|
    baas|paus)|wer ist(?: der| die)?(?: \w+)? (?:vorsitzende|bürgermeister|könig|papst)\w*|
    wat kost|hoeveel kost|wie ?viel kostet|hoe laat (?:sluit|opent|gaat|vertrekt)|
    (?:wat voor weer|que tempo faz|va a llover|vai chover|va-t-il pleuvoir|pleut-il|piove|
    regent het|regnet es|schneit es)|(?:qui a|chi ha|quién ha|quem) (?:été )?(?:élu|remporté|
    eletto|vinto|ganado|venceu|ganhou)|(?:hay|c'è|il y a|y a-t-il|há|is er|gibt es) (?:\w+ )?(?:un |
    una |une |des |lo |uno )?(?:huelga|grèves?|sciopero|greve|staking|streiks?|atascos?|bouchons?|
    traffico|coda|file|staus?|retrasos?|retards?|ritardi|atrasos?|vertraging|verspätung)\w*
""".replace("@OFFICE@", _OFFICE).replace("@TOPIC@", _TOPIC)
)
#: Requests whose answer lies in the request or in invention.
SETTLED = _words(
    r"""
    ^if (?=.*\d)|^(?:my|our|i|we) (?=[^?]*\d)[^?]*[;.,:] (?:how (?:many|much|long)|when|what time)
    (?=[^?]{0,120} (?:i|we) )|(?:give|suggest|list)(?: me| us)? (?:\w+ ){0,3}(?:ideas|questions|
    tips|
    examples|names)|examples? of|role-?play|act as|pretend|suggest (?:a|some) (?:names?|titles?)|
    brainstorm|
    draft|summari[sz]e the (?:plot|book|novel)|define|sort (?:these|the following|this)|shorten|
    who (?:wrote|discovered|invented|painted|composed|founded|directed)|agenda|make this|
    in (?:one|two|three|four|five|\d+) (?:short )?(?:sentences?|words|lines|paragraphs?)|
    (?:first|second|third) (?:president|prime minister|king|queen|man|woman|person)|(?:role|
    duties|job|powers) of (?:the|an?)|symptoms|how long does it take|capital of|(?:write|
    compose|invent|tell|continue|imagine|make up|draft|create)(?: \w+){0,3} (?:story|stories|
    poem|limerick|song|dialogue|tale|novel|haiku|sonnet|joke|report|essay|letter|e-?mail|
    breaking|fiction\w*|script|function|regex|class|test|query|sql|code|program|line)|limerick|
    haiku|fictional|imagine|invent|poem|short story|continue:|w(?:ir|ri)te a stor+y|translate|
    rewrite|rephrase|paraphrase|proofread|correct the|synonyms?|antonyms?|grammar|(?:singular|
    plural) or|turn this into|bullet points|following (?:text|passage|article|paragraph|
    sentence)|difference between|what (?:does|do|is) .{0,40}?(?:mean|meaning)\b|given (?:the|
    that|these)|here (?:are|is) (?:the|my|our|a)|(?:text|article|passage|table|e-?mail|document|
    code|list) (?:above|below)|according to (?:this|the (?:text|table|article))|in the text|
    today is (?:\w+day|the \d)|is \d+ years old now|at a rate of|the last log line|
    our (?:package|code|team|company) \w+|my portfolio|def \w+\(|git \w+|regex|sql|dockerfile|
    pip install|(?:my|this|the) (?:code|function|script|loop|program|class|query|frame|sentence|
    paragraph|text)|find the bug|convert|(?:json|xml) (?:schema|file)|for \w+ in range|
    unit test|bash script|refactor|pandas frame|linked list|database schema|cron (?:line|job)|
    working directory|list of prices|function that|write (?:a|an|the|some) (?:python|sql|bash|
    cron)|schreib\w*|übersetze?\w*|escrib[ea]\w*|traduc\w*|écri[stv]\w*|tradui\w*|scrivi|traduci
"""
)
#: Requests for settled knowledge, where no day is named.
PRINCIPLES = _words(
    r"""
    explain(?! (?:the|what|how) (?:latest|newest|recent|current situation))|derive|prove|solve|
    compute|how (?:do|does|did|are|is|can)(?: \S+){1,4} (?:work|works|set|determined|choose|
    move|influence|decide|calculated|measured|elected|formed|made|imagine)|what (?:is|
    are) the rules of|why (?:is|are|do|does|did) (?!.{0,120}(?:today|down|now|this week))\S+|
    what (?:does|do) an? \w+|what caused|what is an? \w+|tips for|packing list|plan my|i feel|
    what should i|help me write|how (?:can|do|should) i|comment [^\W\d_]{3,}er|
    wie (?:sortiere|schreibe|mache|installiere|berechne|rechne) ich|
    cómo (?:se )?(?:calcul|hac|instal|orden|escrib|funcion)\w+|comment fonctionn\w+|
    (?:my|our|meine?|mi|mon) scores?|semantic versioning|if the price|how many (?:seconds|
    minutes|days|metres|meters|legs)|expected (?:score|value)|in which year does|how fast does|
    erklär\w*|was ist der unterschied|wie (?:berechnet man|funktioniert)|explica\w*|
    qué es (?:la|el|un|una)(?= \w+ \w+)|explique\w*|qu'est-ce qu\w*|spiega
"""
)
#: What is asked of a name and does not change.
STABLE = _words(
    r"""
    capital|capitale|hauptstadt|stands? for|mean(?:s|ing|t)?|significa|signifie|veut dire|bedeutet|
    betekent|themes?|(?:main )?ideas? of|plot|
    novels?|character|author|formula|fórmula|symbol|theorem|laws? of|law|language|located|
    where (?:is|are|was)|border|numbers\W*$|sequence|paradox|effect|conjecture|
    nodes?|clusters?|threads?|protocols?|flow|
    how (?:tall|far(?! along)|long|deep|heavy|big|many (?:bones|legs|
    moons|sides))|(?:longest|largest|highest|deepest|smallest|tallest) (?:river|mountain|ocean|
    planet|desert|lake|animal|peak)|invented|born|founded|history|origin|difference|
    compare[ds]?|versus|vs|painted|written|scritto|escrito|escreveu|écrit|geschrieben|geschreven|
    pintó|peint|escribió|friend|wife|husband|brother|
    sister|continents?|in (?:french|german|spanish|english|italian|latin|greek|chinese|japanese|
    haskell|java\w*|c|python|rust|go|typescript|c\+\+|bash|excel|latex|git|linux|numpy|pandas|
    react|sql)|syntax|keyword|used for|myth\w*|bible|shakespeare|philosoph\w*|equation|
    algorithm|say
"""
)
#: Of a description of an agent: what the world outside the model says.
DATED = _words(
    r"""
    (?:(?:the )?(?:@FRESH@)|(?:today|tomorrow|yesterday|tonight|this \w+|
    last \w+)'s)(?: (?!state|context|time|step|position|location)[\w/&-]+){0,4}? (?:@TOPIC@)|
    as of (?:now|today|this \w+)|(?:@TOPIC@)(?: \w+){0,3} (?:right now|currently|today|
    at the moment|these days)
""".replace("@TOPIC@", _TOPIC).replace("@FRESH@", _FRESH)
)
