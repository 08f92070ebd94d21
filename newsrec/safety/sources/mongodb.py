"""Labelled documents from a collection of MongoDB.

The password comes from the environment or a prompt. It is in no setting, no error and no command.
"""

import getpass
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import bson
from bson import ObjectId, json_util
from bson.errors import InvalidBSON
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import (
    AutoReconnect,
    ConfigurationError,
    InvalidName,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from newsrec.errors import UserError, unknown_choice
from newsrec.safety.labels import CLASSES
from newsrec.safety.sources.documents import Document

PASSWORD_VARIABLE = "NEWSREC_MONGODB_PASSWORD"
_LOGIN_FAILED, _UNAUTHORIZED = 18, 13  # MongoDB's error codes
# For options that the URI does not give. A server that is alive answers within a second; a batch
# of a collection without an index on the labels may take a minute.
_TIMEOUTS = {
    "serverSelectionTimeoutMS": 5_000,
    "connectTimeoutMS": 5_000,
    "socketTimeoutMS": 120_000,
}
_SECRET_OPTION = re.compile(r"[?&][^=&]*(password|token)[^=&]*=|aws_session_token", re.IGNORECASE)
_MAX_NAMES = 20
_NO_LABEL: tuple[object, ...] = (None, "", [])

Mongo = dict[str, Any]  # a document as pymongo has it


@dataclass(frozen=True)
class Connection:
    """A collection and how to log in.

    Attributes:
        uri: `mongodb://host:port`, with options but without user and password.
        database: its name.
        collection: its name.
        user: name of the user; None for a server without users.
        auth_source: database that knows the user.
        password: of the user; shown nowhere.
    """

    uri: str
    database: str
    collection: str
    user: str | None
    auth_source: str
    password: str | None = field(default=None, repr=False)

    @property
    def shown(self) -> str:
        """The collection and its server, for people."""
        return f"{self.database}.{self.collection} at {self.server}"

    @property
    def server(self) -> str:
        """The hosts of the URI, without its options."""
        return re.split(r"[/?]", self.uri.partition("://")[2])[0]


@dataclass(frozen=True)
class Fields:
    """Names of the fields, with dots for fields inside of fields; no tags where None."""

    text: str
    label: str
    tags: str | None


def find_password(user: str | None) -> str | None:
    """The user's password: from the environment, else asked for on a terminal.

    Raises:
        UserError: there is neither the variable nor a terminal.
    """
    if user is None:
        return None
    if password := os.environ.get(PASSWORD_VARIABLE):
        return password
    if not sys.stdin.isatty():
        raise UserError(
            f"no password for the user {user!r} of MongoDB: {PASSWORD_VARIABLE} is not set and "
            f"there is no terminal to ask on; set it: read -rs {PASSWORD_VARIABLE}; export "
            f"{PASSWORD_VARIABLE}"
        )
    return getpass.getpass(f"Password of {user} for MongoDB: ")


@contextmanager
def connect(connection: Connection) -> Iterator[MongoClient[Mongo]]:
    """A client of the server; what goes wrong with it in the block is a `UserError`.

    Raises:
        UserError: the URI is wrong or holds a password, no server answers, the user may not log in
            or read, or the server ended.
    """
    _check_uri(connection.uri)
    given = connection.uri.lower()
    options: dict[str, Any] = {
        name: value for name, value in _TIMEOUTS.items() if f"{name.lower()}=" not in given
    }
    if connection.user is not None:
        options |= {
            "username": connection.user,
            "password": connection.password,
            "authSource": connection.auth_source,
        }
    try:
        client = MongoClient[Mongo](connection.uri, appname="newsrec", **options)
    except (PyMongoError, ValueError) as error:  # ValueError: a port that is not a number
        raise UserError(f"extract.uri or its options are wrong: {_brief(error)}") from None
    with client:
        try:
            yield client
        except (PyMongoError, InvalidBSON) as error:
            raise UserError(_explain(connection, error)) from None


def read_documents(connection: Connection, fields: Fields) -> Iterator[Document]:
    """Every document that has one of `CLASSES`, once: one pass over each.

    Those of classes without a quota are read too: their number tells the share of each class in the
    collection. Another pass is over those whose label is no class: strings of several labels, which
    are found by no search for one, and mistakes. Of documents without a label the last one yields
    the ids, so that they are counted.

    Only the named fields come over the network, a batch at a time.

    Raises:
        UserError: see `connect`; or there is no such collection, or no document has such a field.
    """
    wanted = [fields.text, fields.label, *([fields.tags] if fields.tags else [])]
    with connect(connection) as client:
        collection = client[connection.database][connection.collection]
        _check_collection(collection, connection)
        found_in = Counter[str]()
        for number, label in enumerate([*CLASSES, None]):
            # Apart, since a search for one label can use an index.
            asked = {fields.label: {"$nin": [*CLASSES, *_NO_LABEL]} if label is None else label}
            # `_id` comes unasked.
            for found in collection.find(asked, dict.fromkeys(wanted, 1)):
                given = _field(found, fields.label)
                # One with a list of labels is found by each of them.
                if _one_of(given, CLASSES[:number]):
                    continue
                values = {name: _field(found, name) for name in wanted}
                found_in.update(name for name, value in values.items() if value is not None)
                yield Document(
                    key=bson.encode({"": found["_id"]}),
                    id=_shown_id(found["_id"]),
                    text=values[fields.text],
                    labels=given,
                    tags=values[fields.tags] if fields.tags else None,
                )
        unlabelled = {fields.label: {"$in": [*_NO_LABEL], "$nin": [*CLASSES]}}
        for found in collection.find(unlabelled, {fields.label: 1}):
            given = _field(found, fields.label)
            yield Document(
                key=bson.encode({"": found["_id"]}),
                id=_shown_id(found["_id"]),
                text=None,
                # A list may hold a label beside one that is empty.
                labels=[one for one in given if one] if isinstance(given, list) else None,
            )
        # Last, and only where it is worth a search through the collection.
        for name in wanted:
            if not found_in[name]:
                _check_field(collection, name, connection)


def _one_of(given: object, labels: Sequence[str]) -> bool:
    """Whether a search for one of `labels` finds a document with these."""
    return any(label in given if isinstance(given, list) else label == given for label in labels)


def _field(document: Mongo, name: str) -> object:
    found: object = document
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _shown_id(value: object) -> str:
    if isinstance(value, str | ObjectId):
        return str(value)
    return json_util.dumps(value)


def _check_uri(uri: str) -> None:
    """Refuse what is no URI, and one that holds a secret, which a file of parameters must not."""
    if not re.match(r"mongodb(\+srv)?://[^/?]", uri):
        raise UserError(
            "extract.uri does not begin as a MongoDB URI does; expected mongodb://host:port or "
            "mongodb+srv://host"
        )
    if "@" in uri or _SECRET_OPTION.search(uri):
        raise UserError(
            "extract.uri holds a user or a password, and parameters are kept in Git; leave only "
            "hosts and options in it, put the user into extract.user and the password into the "
            f"environment: {PASSWORD_VARIABLE}"
        )


def _check_collection(collection: Collection[Mongo], connection: Connection) -> None:
    names = collection.database.list_collection_names(authorizedCollections=True)
    if connection.collection not in names:
        if not names:
            raise UserError(
                f"{connection.shown}: the database {connection.database!r} has no collection that "
                "this user may read; check extract.database, extract.collection and the user's "
                "roles"
            )
        what = f"{connection.shown}: no such collection: extract.collection"
        raise unknown_choice(what, connection.collection, sorted(names)[:_MAX_NAMES])
    if not collection.estimated_document_count():
        raise UserError(f"{connection.shown}: the collection is empty; check extract.collection")


def _check_field(collection: Collection[Mongo], name: str, connection: Connection) -> None:
    if collection.find_one({name: {"$exists": True}}, {"_id": 1}) is None:
        example = collection.find_one({}) or {}
        what = f"{connection.shown}: no document has such a field: the field in params"
        raise unknown_choice(what, name, list(example)[:_MAX_NAMES])


def _explain(connection: Connection, error: Exception) -> str:
    """What pymongo found, without what it was given."""
    where = connection.shown
    if isinstance(error, OperationFailure) and error.code == _LOGIN_FAILED:
        return (
            f"{where}: the server refuses user {connection.user!r}: wrong user or password, or the "
            f"user is not in the database {connection.auth_source!r}; set {PASSWORD_VARIABLE}, "
            "extract.user, extract.auth_source"
        )
    if isinstance(error, OperationFailure) and error.code == _UNAUTHORIZED:
        who = f"user {connection.user!r}" if connection.user else "who has not logged in"
        return (
            f"{where}: {who} may not read it; set extract.user, or grant the role read on "
            f"{connection.database!r}"
        )
    if isinstance(error, ServerSelectionTimeoutError):
        return (
            f"{where}: no MongoDB server answers there; check extract.uri, the network, and that "
            f"the server runs ({_brief(error)})"
        )
    if isinstance(error, NetworkTimeout):  # the next run would wait as long for the same answer
        return (
            f"{where}: the server did not answer in time ({_brief(error)}); create an index on the "
            "field of extract.label_field, or allow more time by an option of extract.uri, as in "
            "mongodb://HOST/?socketTimeoutMS=1800000"
        )
    if isinstance(error, ConfigurationError | InvalidName):
        return f"extract.uri, extract.database or extract.collection is wrong: {_brief(error)}"
    if isinstance(error, InvalidBSON):
        return (
            f"{where}: a document holds bytes that are no UTF-8 ({_brief(error)}); correct it in "
            "the database"
        )
    lost = "the connection broke off" if isinstance(error, AutoReconnect) else "the server failed"
    return f"{where}: {lost} ({_brief(error)}); run the same again"


def _brief(error: Exception) -> str:
    return str(error).partition(", Timeout:")[0].partition(", full error:")[0][:200]
