"""The words of made-up products: families of them, each with words of its own, and common ones."""

# family: (things, what they are made of or like, what they are for)
FAMILIES: dict[str, tuple[str, str, str]] = {
    "birds": (
        "feeder birdbath perch nestbox binoculars seedtray",
        "cedar suet finch wren",
        "songbirds robins migration backyards",
    ),
    "baking": (
        "whisk rollingpin breadtin sieve caketin mixer",
        "nonstick flour pastry yeast",
        "loaves muffins biscuits crusts",
    ),
    "fishing": (
        "reel lure bobber tackle waders landingnet",
        "trout freshwater braided salmon",
        "anglers rivers casting lakeshores",
    ),
    "knitting": (
        "yarn needles crochet pattern spindle loom",
        "merino woolen mohair alpaca",
        "scarves mittens sweaters stitches",
    ),
    "cycling": (
        "pedal saddle handlebar derailleur bikepump spokes",
        "tubeless carbon gravel mountainbike",
        "commutes climbs sprints trails",
    ),
    "astronomy": (
        "telescope eyepiece starchart tripod finderscope planisphere",
        "lunar refractor nebula equatorial",
        "planets galaxies comets stargazing",
    ),
    "gardening": (
        "trowel pruner sprinkler planter hoe watering-can",
        "heirloom compost bulb seedling",
        "tomatoes roses hedges flowerbeds",
    ),
    "music": (
        "reed mouthpiece metronome capo drumstick mallet",
        "brass maple tenor acoustic",
        "rehearsals melodies chords concerts",
    ),
    "camping": (
        "tent lantern stove hammock canteen sleepingbag",
        "waterproof alpine ripstop thermal",
        "campfires hikers summits bivouacs",
    ),
    "painting": (
        "easel palette canvas brush gouache sketchbook",
        "bristle acrylic sable pigment",
        "landscapes portraits murals sketches",
    ),
    "puzzles": (
        "jigsaw boardgame dice chessboard cardgame dominoes",
        "wooden magnetic strategy cooperative",
        "rainy-evenings families tournaments riddles",
    ),
    "aquarium": (
        "fishtank gravelbed heater airpump driftwood snailtrap",
        "coral tropical aquatic goldfish",
        "guppies tetras shrimp reefs",
    ),
}
NAMES = tuple(FAMILIES)
OUTDOORS = ("birds", "fishing", "cycling", "astronomy", "gardening", "camping")

BRANDS = ("Norvale", "Brightel", "Quillon", "Ostrava", "Fenwick", "Larkmore", "Tessaro", "Umberly")
# What products of every family are called and said to be.
COMMON_THINGS = ("kit", "set", "bundle", "pack", "case", "starter", "refill", "accessory")
COMMON_LOOKS = ("classic", "compact", "deluxe", "sturdy", "premium", "everyday", "mini", "foldable")
TAILS = ("blue", "green", "2 pieces", "large", "small", "gift box", "red", "new edition")
SENTENCES = (  # about another thing of the family, and what it is for
    "Goes with a {} for {}.",
    "Use it for {1} beside a {0}.",
    "Made for {1}; {0} sold separately.",
)
EMPTY_SENTENCE = "Easy to clean, easy to store, ready to use."
