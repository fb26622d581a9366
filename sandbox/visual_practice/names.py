"""Words that generated practices and patients are made of.

Owns the lists only. Names carry accents, apostrophes, hyphens and spaces, because real ones do.
"""

FIRST = (
    *("Olivia", "Noah", "Emma", "Liam", "Charlotte", "James", "Amelia", "William", "Sophia", "Lucas", "Zoë", "Chloé"),
    *("René", "José", "María", "Ángel", "Íñigo", "Jürgen", "Björn", "Åsa", "Søren", "Łukasz", "Zofia", "Aoife", "Siân"),
    *(
        "Mohammed",
        "Aisha",
        "Yusuf",
        "Fatima",
        "Wei",
        "Mei-Ling",
        "Haruto",
        "Sakura",
        "Arjun",
        "Priya",
        "Nguyễn",
        "Thảo",
    ),
    *(
        "Anne-Marie",
        "Jean-Luc",
        "D'Arcy",
        "Kwame",
        "Chidi",
        "Ngozi",
        "Tane",
        "Aroha",
        "Ioana",
        "Ștefan",
        "Žofie",
        "Ana",
    ),
    *("Grace", "Henry", "Ruby", "Jack", "Isla", "Thomas", "Ella", "Oscar", "Mia", "Leo", "Ivy", "Max", "Eva", "Hugo"),
)
LAST = (
    *("Smith", "Jones", "Williams", "Brown", "Taylor", "Wilson", "Johnson", "White", "Martin", "Anderson", "Thompson"),
    *("Nguyen", "O'Brien", "O'Connor", "D'Angelo", "Müller", "Schröder", "Weiß", "García", "Muñoz", "Peña", "Ibáñez"),
    *("Lefèvre", "Gagné", "Dubois-Lambert", "van der Berg", "de la Cruz", "von Hohenberg", "Åkesson", "Sørensen"),
    *("Łukaszewski", "Wójcik", "Dvořák", "Novák", "Šimić", "Popescu", "Ionescu", "Kowalczyk", "Papadopoulos", "Yılmaz"),
    *("Chen", "Wang", "Kim", "Park", "Tanaka", "Suzuki", "Singh", "Patel", "Kaur", "Okafor", "Mensah", "Tūhoe", "Lee"),
    *("McDonald", "MacLeod", "Fitzgerald", "St. John", "Clarke", "Walker", "Hall", "Young", "King", "Wright", "Scott"),
)
TITLES = ("", "Mr", "Mrs", "Ms", "Miss", "Dr", "Mx", "Prof")
GENDERS = ("female", "male", "Female", "Male", "F", "M", "non-binary", "unknown", "")
STREETS = (
    *("High Street", "Station Road", "Main Road", "Park Avenue", "Church Lane", "Victoria Street", "Mill Lane"),
    *("Harbour View", "George Street", "O'Connell Parade", "Avenue de la République", "Königsallee", "The Crescent"),
)
PLACES = (  # city, state, country, pattern of the postcode: `#` is a digit, `@` a letter
    ("Boston", "MA", "US", "021##"),
    ("Springfield", "MA", "US", "011##"),
    ("San José", "CA", "US", "951##"),
    ("Portland", "ME", "US", "041##"),
    ("Austin", "TX", "US", "787##"),
    ("Sydney", "NSW", "Australia", "2###"),
    ("Melbourne", "VIC", "Australia", "3###"),
    ("Auckland", "", "New Zealand", "1###"),
    ("Leeds", "West Yorkshire", "United Kingdom", "LS# #@@"),
    ("Montréal", "QC", "Canada", "H#@ #@#"),
    ("München", "Bayern", "Germany", "80###"),
)
SPECIALTIES = (
    *("GENERAL PRACTICE", "General practice", "Dermatology", "Dental", "dental ", "Physiotherapy", "PHYSICAL THERAPY"),
    *(
        "CLINIC",
        "Pediatrics",
        "Paediatrics",
        "INTERNAL MEDICINE",
        "Psychiatry",
        "Optometry",
        "Podiatry",
        "Chiropractic",
    ),
    *("Allied Health / Other", "Cardiology"),
)
PRACTICE_STEMS = (
    *(
        "Harbour",
        "Riverside",
        "Hillcrest",
        "St. Mary's",
        "Northside",
        "Lakeview",
        "Sunrise",
        "Kōwhai",
        "Beacon",
        "Elm Park",
    ),
    *("Queen's", "Old Mill", "Saint-Denis", "Bayside", "Greenfield", "Parkway", "Summit", "Cedar", "Westgate", "Maple"),
)
PRACTICE_KINDS = (
    *("Family Practice", "Medical Centre", "Clinic", "Dental Care", "Health Group", "Physiotherapy", "Skin Clinic"),
    *("Children's Clinic", "Medical Partners", "Specialists"),
)
REFERRALS = ("Google", "Word of mouth", "Existing patient", "GP referral", "Walk-in", "Facebook", "Insurance list")
NOTES = (
    *("Prefers morning appointments.", "Needs an interpreter.", "Latex allergy, see chart.", "Pays cash."),
    *("Call before 9 am only.", "Mother is the contact person.", "Moved here in spring.", "Wheelchair access needed."),
)
