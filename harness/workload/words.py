"""The words that synthetic prompts are made of: short, common, harmless English words.

With a space in front, each is one token in the usual byte-level BPE vocabularies, so n words are n tokens.
"""

_TEXT = """
able about above across again age air all along also always amount another answer any area art away baby
back ball bank base beach beat bed before began best better big bird blue board boat body born both
bottom box bread bring brother brought build bus buy call camp car card care case cat catch cause
century certain chair chance check chief child church city class clean clear clock close cloud coast
color come common cook corn corner cost cotton count country course court cow create cross crowd current
dance dark daughter deal dear decide deep desert desk did differ direct dog dollar door down draw dream
dress drive drop dry during ear early earth east eat edge egg eight electric else end energy enjoy
enough enter equal evening event ever every example eye face fact fall family famous far fast father
favor fear feet fell felt few figure fill final find finger finish fire first five flat floor flow fly
follow food foot forest form forward four fresh friend front fruit fun game garden gas general gentle
get girl glad glass gold gone got grand grass gray green grew ground group guess guide hair half happen
happy hard hat hear heart heat heavy help high hill history hold hole home hope hot hotel hour house
human hundred hurry ice inch island job join jump just keep kept kind king knew know lake land language
large late laugh law lay learn least leave left length less letter level life lift light like list
listen little live"""

WORDS: tuple[str, ...] = tuple(_TEXT.split())
"""256 of them: eight draws fit into one 64-bit number."""

CHARACTERS_PER_TOKEN = sum(len(word) + 1 for word in WORDS) / len(WORDS)
"""The calibration without a tokenizer: the mean length of a word with its space, one token each."""
