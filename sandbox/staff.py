"""The people who work in the sandbox practice: users of Visual Practice, most of whom also have a Salesforce login.

Owns one fixed list, so that owners can be matched by e-mail the way they are between the two real systems.
"""

from typing import NamedTuple


class Person(NamedTuple):
    """One member of staff; `salesforce` says how Salesforce knows them: `active`, `inactive` or `none`."""

    first_name: str
    last_name: str
    email: str
    role: str
    active: bool
    salesforce: str


STAFF = (
    Person("Amélie", "Durand", "amelie.durand@harbour-clinic.example", "practitioner", True, "active"),
    Person("Tomasz", "Wójcik", "tomasz.wojcik@harbour-clinic.example", "practitioner", True, "active"),
    Person("Grace", "Okonkwo", "grace.okonkwo@harbour-clinic.example", "practitioner", True, "active"),
    Person("Liam", "O'Connor", "liam.oconnor@harbour-clinic.example", "practitioner", True, "active"),
    Person("Mei", "Tanaka", "mei.tanaka@harbour-clinic.example", "practitioner", True, "active"),
    Person("José", "Muñoz", "jose.munoz@harbour-clinic.example", "practitioner", True, "active"),
    Person("Hannah", "Becker", "hannah.becker@harbour-clinic.example", "receptionist", True, "active"),
    Person("Priya", "Raman", "Priya.Raman@Harbour-Clinic.example", "receptionist", True, "active"),
    Person("Oliver", "Smith", "oliver.smith@harbour-clinic.example", "administrator", True, "inactive"),
    Person("Sara", "Lindqvist", "sara.lindqvist@harbour-clinic.example", "practitioner", False, "inactive"),
    Person("Noah", "van der Berg", "noah.vanderberg@harbour-clinic.example", "practitioner", True, "none"),
    Person("Fatima", "Haddad", "fatima.haddad@harbour-clinic.example", "bookkeeper", False, "none"),
)
