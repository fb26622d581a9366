"""One Salesforce org: its database, schema, records, users and switches.

Owns what the parts of the server share, and how an org begins. Knows no HTTP. Opened by `sandbox.server`.
"""

import json
import random
import secrets
import sqlite3
from pathlib import Path
from typing import Any

from sandbox import clock
from sandbox.database import Database
from sandbox.faults import Faults
from sandbox.salesforce import catalogue, ids
from sandbox.salesforce.access import Access
from sandbox.salesforce.definitions import Definitions
from sandbox.salesforce.describe import RecordType
from sandbox.salesforce.records import Records
from sandbox.salesforce.rows import Rows
from sandbox.salesforce.schema import Schema
from sandbox.salesforce.settings import Settings
from sandbox.staff import STAFF
from sandbox.visual_practice import names

ORG_ID = ids.make("00D", 1)
API_USER, ADMINISTRATOR = ids.make("005", 1), ids.make("005", 2)  # who loads, and who was here before
CHATTER = "chatter.only@carryover-sandbox.example"
ADMINISTRATORS = 2  # the first users
BATCH = 1_000
DAY = 86_400
SETTINGS = "settings"

COMMON = """
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS session (token TEXT PRIMARY KEY, user TEXT NOT NULL, issued REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cursor (id INTEGER PRIMARY KEY, soql TEXT NOT NULL, deleted INTEGER NOT NULL, rows BLOB NOT NULL);
"""


class Org:
    """An org in one SQLite file; new ones get the standard objects, users and `rows` records of someone else's."""

    def __init__(self, folder: Path, *, rows: int = 0, fields: bool = True, seed: int = 7) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.uploads = folder / "bulk"
        self.uploads.mkdir(exist_ok=True)
        self.database = Database(folder / "salesforce.sqlite")
        self.schema = catalogue.standard()
        self.records = Records(self.schema)
        self.settings = Settings()
        self.access = Access(self.schema, self.settings)
        self.definitions = Definitions(self.schema, self.records, self.access.forget)
        self.database.ended.append(self.access.settle)
        self.rows = Rows(self.schema, self.records, self.settings, self.access)
        self.faults = Faults(seed)
        with self.database.schema_change() as connection:
            connection.executescript(COMMON)
        with self.database.transaction() as connection:
            new = self._setting(connection, "began", lambda: clock.salesforce_text(clock.now()))
            if new and fields:
                self._remember(connection, "fields", "yes")
            if self._value(connection, "fields"):
                for name, added in catalogue.custom_fields().items():
                    self.schema.of(name).add(added)
            self.definitions.restore(connection)
            self.rows.bin.prepare(connection)
            self.rows.rules.restore(connection)
            self.settings.turn(json.loads(self._value(connection, SETTINGS) or "{}"))
            self.records.prepare(connection)
            if new and fields:
                self._begin_objects(connection)
            if new:
                self._begin(connection, rows, random.Random(seed))
            self.client_id = self._secret(connection, "client_id", "3MVG9")
            self.client_secret = self._secret(connection, "client_secret", "")
            self.password = self._secret(connection, "password", "")
            self.security_token = self._secret(connection, "security_token", "")
        self.username = "integration@carryover-sandbox.example"

    def close(self) -> None:
        self.database.close()

    def seen_by(self, user: str) -> Schema:
        """The objects and fields that are there for a user."""
        return self.access.seen_by(self.database.reader(), user)

    def record_types(self, name: str) -> list[RecordType]:
        """The record types of an object besides the master."""
        found = self.records.select(
            self.database.reader(),
            "RecordType",
            ("Id", "DeveloperName", "Name", "IsActive"),
            "SobjectType",
            [name],
            live=True,
        )
        return [RecordType(identity, developer, shown, bool(active)) for identity, developer, shown, active in found]

    # -- settings -----------------------------------------------------------------------------------------------

    @staticmethod
    def _value(connection: sqlite3.Connection, name: str) -> str | None:
        row = connection.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    @staticmethod
    def _remember(connection: sqlite3.Connection, name: str, value: str) -> None:
        connection.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, value))

    def _setting(self, connection: sqlite3.Connection, name: str, first: Any) -> bool:
        if self._value(connection, name) is not None:
            return False
        self._remember(connection, name, first())
        return True

    def _secret(self, connection: sqlite3.Connection, name: str, prefix: str) -> str:
        self._setting(connection, name, lambda: prefix + secrets.token_urlsafe(32).replace("-", "A").replace("_", "B"))
        return self._value(connection, name) or ""

    def remembered(self, name: str) -> str | None:
        """A setting that survives a restart, or None."""
        return self._value(self.database.reader(), name)

    def remember(self, name: str, value: str) -> None:
        """Keeps a setting."""
        with self.database.transaction() as connection:
            self._remember(connection, name, value)

    def turn(self, given: dict[str, Any]) -> dict[str, Any]:
        """Changes settings of the org for good; raises UnknownSettingError."""
        before = self.settings.contacts_to_multiple_accounts
        turned = self.settings.turn(given)
        self.access.forget()
        with self.database.transaction() as connection:
            self._remember(connection, SETTINGS, json.dumps(turned))
            if self.settings.contacts_to_multiple_accounts and not before:
                self.rows.relations.begin(connection, ADMINISTRATOR, clock.salesforce_text(clock.now()))
        return turned

    # -- the beginning ------------------------------------------------------------------------------------------

    def _begin(self, connection: sqlite3.Connection, rows: int, dice: random.Random) -> None:
        at = clock.salesforce_text(clock.now() - 400 * DAY)
        self._begin_itself(connection, at)
        self._begin_users(connection, at)
        for start in range(0, rows, BATCH):
            self._begin_rows(connection, dice, start, min(BATCH, rows - start))

    def _store(self, connection: sqlite3.Connection, name: str, rows: list[dict[str, Any]]) -> None:
        if rows:
            self.records.insert(connection, self.schema.of(name), list(rows[0]), [list(row.values()) for row in rows])

    def _stamped(self, number: int, prefix: str, at: str, user: str) -> dict[str, Any]:
        return {
            "seq": number,
            "Id": ids.make(prefix, number),
            **dict.fromkeys(("CreatedDate", "LastModifiedDate", "SystemModstamp"), at),
            **dict.fromkeys(("CreatedById", "LastModifiedById"), user),
        }

    def _begin_objects(self, connection: sqlite3.Connection) -> None:
        for name, specs in catalogue.custom_objects().items():
            self.definitions.add_object(connection, name)
            for field, kind, given in specs:
                self.definitions.add_field(connection, name, field, kind, **given)

    def _begin_itself(self, connection: sqlite3.Connection, at: str) -> None:
        made = self._stamped(1, "00D", at, ADMINISTRATOR) | {
            "Name": "Harbour Clinic",
            "InstanceName": "SBX1",
            "OrganizationType": "Enterprise Edition",
            "LanguageLocaleKey": "en_US",
            "TimeZoneSidKey": "America/New_York",
            "DefaultLocaleSidKey": "en_US",
            "FiscalYearStartMonth": 1,
            "IsSandbox": 1,
        }
        self._store(connection, "Organization", [made])
        standard = {"Name": "Standard Price Book", "IsActive": 1, "IsStandard": 1}
        self._store(connection, "Pricebook2", [self._stamped(1, "01s", at, ADMINISTRATOR) | standard])
        profiles = [
            self._stamped(number, "00e", at, ADMINISTRATOR) | {"Name": name, "UserType": "Standard"}
            for number, name in enumerate(("System Administrator", "Standard User"), 1)
        ]
        self._store(connection, "Profile", profiles)

    def _begin_users(self, connection: sqlite3.Connection, at: str) -> None:
        listed = [
            ("Integration", "User", "integration@carryover-sandbox.example", 1),
            ("Alex", "Admin", "alex.admin@carryover-sandbox.example", 1),
            *(
                (person.first_name, person.last_name, person.email.lower(), int(person.salesforce == "active"))
                for person in STAFF
                if person.salesforce != "none"
            ),
            ("Chatter", "Only", CHATTER, 1),  # who may own nothing
        ]
        rows = [
            self._stamped(number, "005", at, ADMINISTRATOR)
            | {
                "Username": email,
                "FirstName": first,
                "LastName": last,
                "Email": email,
                "Alias": last[:8],
                "CommunityNickname": email.partition("@")[0],
                "IsActive": active,
                "UserType": "CsnOnly" if email == CHATTER else "Standard",
                "TimeZoneSidKey": "America/New_York",
                "LocaleSidKey": "en_US",
                "LanguageLocaleKey": "en_US",
                "EmailEncodingKey": "UTF-8",
                "ProfileId": ids.make("00e", 1 if number <= ADMINISTRATORS else 2),
            }
            for number, (first, last, email, active) in enumerate(listed, 1)
        ]
        self._store(connection, "User", rows)

    def _begin_rows(self, connection: sqlite3.Connection, dice: random.Random, start: int, total: int) -> None:
        """Half accounts, half contacts, made by a person who worked in the org before any migration."""
        accounts, contacts = [], []
        for number in range(start, start + total):
            at = clock.salesforce_text(clock.now() - dice.randint(30, 390) * DAY)
            if number % 2 == 0:
                stem, kind = dice.choice(names.PRACTICE_STEMS), dice.choice(names.PRACTICE_KINDS)
                accounts.append(
                    self._stamped(number // 2, "001", at, ADMINISTRATOR)
                    | {"OwnerId": ADMINISTRATOR, "Name": f"{stem} {kind}", "Phone": f"(617) 555-{number % 10_000:04d}"}
                )
            else:
                last = dice.choice(names.LAST)
                contacts.append(
                    self._stamped(number // 2, "003", at, ADMINISTRATOR)
                    | {
                        "OwnerId": ADMINISTRATOR,
                        "AccountId": ids.make("001", number // 2) if dice.random() < 0.8 else None,
                        "FirstName": dice.choice(names.FIRST),
                        "LastName": last,
                        "Email": f"existing{number}@mail.example",
                    }
                )
        self._store(connection, "Account", accounts)
        self._store(connection, "Contact", contacts)
