"""What happens in a made-up practice: kinds of visits, procedures, tests, papers, carriers, questions.

Owns the lists only. Codes and names are invented, or plain words; carriers exist nowhere.
"""

from typing import Any

VISITS = (  # kind, minutes, weight
    ("Initial consultation", 45, 2),
    ("Follow-up", 30, 6),
    ("Check-up", 30, 4),
    ("Cleaning", 45, 3),
    ("Telehealth", 15, 2),
    ("Procedure", 90, 1),
    ("Vaccination", 15, 1),
)
CANCELLED_BECAUSE = (
    *("Feeling better", "Sick", "Work", "No transport", "Booked elsewhere", "Practitioner away"),
    *("", 'Caller said "won\'t pay"'),
)
VISIT_NOTES = (
    *("<p>Seen today.</p>", "<p>Patient <b>improved</b>.<br>Review in 4 weeks.</p>", "Discussed options", "BP 120/80"),
    *("<ul><li>Exercises</li><li>Ice</li></ul>", "No change since last visit.", "Needs referral &amp; X-ray"),
)
PROCEDURES = (  # code, what, cents
    ("C100", "Consultation, short", 7_500),
    ("C200", "Consultation, standard", 12_000),
    ("C300", "Consultation, long", 18_550),
    ("D110", "Scale and clean", 9_900),
    ("D220", "Filling, one surface", 16_525),
    ("P310", "Physiotherapy session", 8_800),
    ("I410", "Imaging, one region", 21_000),
    ("L510", "Laboratory panel", 6_435),
    ("V600", "Vaccine, administered", 4_250),
    ("M700", "Materials", 1_235),
)
TAX_RATES = (0, 0, 0, 10)  # per cent
METHODS = ("card", "card", "card", "cash", "transfer", "insurance", "insurance", "cheque")
CARRIERS = (
    *("Northern Mutual", "Blue Harbor Health", "Acorn Insurance Group", "Pacific Care Plan", "St. Luke's Health Fund"),
    *("Evergreen HMO", "Union Benefit Trust", "Statewide Medicaid Office", "Federal Seniors Plan", "Q&A Assurance"),
    *("Zürich-Süd Krankenkasse", "Family First Cover"),
)
PLANS = ("Gold PPO", "Silver HMO", "Bronze", "Family Plus", "Dental only", "Supplement F", "Basic")
RELATIONSHIPS = ("self", "self", "self", "spouse", "child", "child", "other")
TESTS = (  # code, name, unit, least, most, decimals, reference range
    ("GLU", "Glucose", "mg/dL", 60, 180, 0, "70-99"),
    ("HBA1C", "Hemoglobin A1c", "%", 4, 11, 1, "4.0-5.6"),
    ("CHOL", "Cholesterol, total", "mg/dL", 110, 310, 0, "<200"),
    ("TSH", "Thyrotropin", "mIU/L", 0, 9, 2, "0.40-4.00"),
    ("HGB", "Hemoglobin", "g/dL", 9, 18, 1, "12.0-17.5"),
    ("CREA", "Creatinine", "mg/dL", 0, 3, 2, "0.60-1.30"),
)
WORDED_TESTS = (("STREP", "Streptococcus A, rapid"), ("CULT", "Culture"), ("COVID", "SARS-CoV-2 antigen"))
WORDED_RESULTS = ("Negative", "Positive", "Not detected", "No growth after 48 h", "See report", "Trace")
IMAGING = (
    ("XR", "Chest"),
    ("XR", "Left knee"),
    ("US", "Abdomen"),
    ("MR", "Lumbar spine"),
    ("CT", "Head"),
    ("PX", "Jaw"),
)
PAPERS = (  # name, content type, category, smallest and largest size
    ("referral-letter.pdf", "application/pdf", "referral", 18_000, 400_000),
    ("insurance-card.jpg", "image/jpeg", "insurance", 90_000, 3_500_000),
    ("consent-signed.pdf", "application/pdf", "consent", 30_000, 900_000),
    (
        "report.docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "report",
        12_000,
        150_000,
    ),
    ("scan.tiff", "image/tiff", "scan", 1_000_000, 22_000_000),
    ("lab-result.txt", "text/plain", "lab", 300, 6_000),
    ("photo.png", "image/png", "photo", 200_000, 6_000_000),
)
STUDY = ("study.zip", "application/zip", "imaging", 15_000_000, 420_000_000)  # beside an imaging record
SUBJECTS = ("Appointment reminder", "Your invoice", "Recall", "Test results", "New opening hours", "Re: appointment")
MESSAGES = (
    *("Your appointment is tomorrow.\nPlease reply YES to confirm.", "Please call us about your results."),
    *("Invoice attached.\r\n\r\nKind regards", "It is time for your check-up.", "Yes"),
)
ORGANIZATIONS = ("City Hospital", "Westside Imaging", "County Cardiology Associates", "Dr. Lee & Partners", "")
FORMS: tuple[dict[str, Any], ...] = (
    {
        "id": "1",
        "name": "New patient intake",
        "sections": [
            {
                "name": "About you",
                "questions": [
                    {"name": "How did you hear of us?", "type": "text", "required": False},
                    {"name": "Emergency contact", "type": "text", "required": True},
                    {
                        "name": "Do you smoke?",
                        "type": "radiobuttons",
                        "required": True,
                        "options": ["Never", "Stopped", "Yes"],
                    },
                ],
            },
            {
                "name": "Allergies",
                "questions": [
                    {
                        "name": "Any allergies?",
                        "type": "checkboxes",
                        "required": False,
                        "options": ["Latex", "Penicillin", "Peanuts", "Pollen", "None known"],
                    },
                    {"name": "Details", "type": "paragraph", "required": False},
                ],
            },
        ],
    },
    {
        "id": "2",
        "name": "Consent and privacy",
        "sections": [
            {
                "name": "Consent",
                "questions": [
                    {
                        "name": "I agree to treatment",
                        "type": "checkboxes",
                        "required": True,
                        "options": ["I agree"],
                    },
                    {"name": "You may share records with", "type": "text", "required": False},
                    {"name": "Date", "type": "date", "required": True},
                    {"name": "Signature", "type": "signature", "required": True},
                ],
            },
        ],
    },
)
ANSWERS = {
    "text": ("Google", "A friend", "Mother, 555-0100", "my GP", "", "husband (José)"),
    "paragraph": ("", "rash after penicillin\nin 2009", "None that I know of", 'Itching; swelling, "mild"'),
    "date": ("2021-03-04", "2023-11-30", "04/03/2021", ""),
    "signature": ("signed",),
}

MEMBERSHIP_ROLES = ("Second opinion", "Specialist", "Dental", "Physical therapy", "Family doctor", "", None)
