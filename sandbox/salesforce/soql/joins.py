"""The parents that a query walks to: which tables are joined, and which column a path through them is.

Owns relationships of one and of several possible objects. Called by `statement`.

A lookup that may point to several objects shows the few fields that all of them have (the object `Name` of Salesforce).
"""

from dataclasses import dataclass

from sandbox.salesforce.schema import Field, Schema, SObject

MOST_LEVELS = 5
SHARED = frozenset(  # fields of the object Name
    {
        *("Id", "Name", "Type", "FirstName", "LastName", "Email", "Phone", "Title", "Username", "Alias", "IsActive"),
        "ProfileId",
    }
)


class NoRelationshipError(LookupError):
    """A relationship that an object does not have; the argument is its name."""


class NoFieldError(LookupError):
    """A field that an object does not have; the arguments are its name and the object's."""


@dataclass(slots=True)
class Join:
    """One relationship of a path: where it ends. Several `parents` are the objects that it may be, each with its alias."""

    path: tuple[str, ...]
    parents: tuple[SObject, ...]
    aliases: tuple[str, ...]
    sql: str
    before: "Join | None" = None

    @property
    def chain(self) -> "list[Join]":
        """The joins of the whole path, the first first."""
        return [*(self.before.chain if self.before else []), self]

    @property
    def identity(self) -> str:
        """The SQL of the parent's id."""
        if len(self.aliases) == 1:
            return f"{self.aliases[0]}.Id"
        return f"coalesce({', '.join(f'{alias}.Id' for alias in self.aliases)})"

    def named(self, identity: str) -> SObject:
        """The object of a parent with this id."""
        return next((each for each in self.parents if identity.startswith(each.prefix)), self.parents[0])

    def column(self, name: str) -> tuple[str, Field]:
        """The SQL and the field of a column of the parent; raises NoFieldError."""
        if len(self.parents) == 1:
            field = self.parents[0].get(name)
            if field is None:
                raise NoFieldError(name, self.parents[0].name)
            return f'{self.aliases[0]}."{field.name}"', field
        if name.lower() == "type":
            cases = " ".join(
                f"WHEN {alias}.Id IS NOT NULL THEN '{each.name}'"
                for alias, each in zip(self.aliases, self.parents, strict=True)
            )
            return f"CASE {cases} END", Field(name="Type", label="Type", length=40)
        found = [
            (f'{alias}."{field.name}"', field)
            for alias, each in zip(self.aliases, self.parents, strict=True)
            if (field := _title(each) if name.lower() == "name" else each.get(name))
        ]
        if not found or found[0][1].name not in SHARED | {_title_name(each) for each in self.parents}:
            raise NoFieldError(name, "Name")
        shown = Field(name="Name", label="Name", length=255) if name.lower() == "name" else found[0][1]
        columns = [sql for sql, _ in found]
        return (f"coalesce({', '.join(columns)})" if len(columns) > 1 else columns[0]), shown


def _title(sobject: SObject) -> Field | None:
    return next((each for each in sobject.fields.values() if each.name_field), None)


def _title_name(sobject: SObject) -> str:
    title = _title(sobject)
    return title.name if title else "Name"


class Joins:
    """The joins of one query."""

    def __init__(self, schema: Schema, sobject: SObject) -> None:
        self._schema, self._sobject = schema, sobject
        self._joins: dict[tuple[str, ...], Join] = {}
        self._aliases = 0

    @property
    def sql(self) -> str:
        """What follows the table in FROM."""
        return "".join(join.sql for join in self._joins.values())

    def follow(self, relationships: tuple[str, ...]) -> Join:
        """The join at the end of a path of relationships, in any case; raises NoRelationshipError."""
        key = tuple(each.lower() for each in relationships)
        if key not in self._joins:
            self._joins[key] = self._made(relationships)
        return self._joins[key]

    def _made(self, relationships: tuple[str, ...]) -> Join:
        *before, name = relationships
        if len(relationships) > MOST_LEVELS:
            raise NoRelationshipError(name)
        join = self.follow(tuple(before)) if before else None
        if join is not None and len(join.parents) > 1:
            raise NoRelationshipError(name)
        sobject, alias = (join.parents[0], join.aliases[0]) if join else (self._sobject, "t")
        lookup = sobject.relationship(name)
        parents = tuple(found for each in (lookup.references if lookup else ()) if (found := self._schema.get(each)))
        if lookup is None or not parents:
            raise NoRelationshipError(name)
        aliases = tuple(f"p{self._aliases + place}" for place in range(len(parents)))
        self._aliases += len(parents)
        sql = "".join(
            f' LEFT JOIN "{parent.name}" {own} ON {own}.Id = {alias}."{lookup.name}"'
            for own, parent in zip(aliases, parents, strict=True)
        )
        path = (*(join.path if join else ()), lookup.relationship or name)
        return Join(path, parents, aliases, sql, join)
