"""Documents come from a real server, and what goes wrong with it is one line without a password."""

import socket
import traceback
from dataclasses import replace

import pytest
from bson import ObjectId
from pymongo.errors import AutoReconnect, NetworkTimeout

from newsrec.errors import UserError
from newsrec.safety.sources import mongodb
from newsrec.safety.sources.documents import Document, labels_of
from newsrec.safety.sources.mongodb import (
    Connection,
    Fields,
    connect,
    find_password,
    read_documents,
)
from tests.safety.conftest import FIELDS
from tests.safety.planted import texts

SECRET = "geheim-1f0c9d/@:"
NOBODY = Connection("mongodb://127.0.0.1:1", "db", "docs", None, "admin")


def read(connection: Connection, fields: Fields = FIELDS) -> list[Document]:
    return list(read_documents(connection, fields))


@pytest.mark.slow
def test_every_labelled_document_is_read_once(collection: Connection) -> None:
    found = {one.id: one for one in read(collection)}
    planted = list(texts(600, seed=5))
    assert len(found) == len(read(collection)) == 611
    for one in planted:
        assert (found[one.id].text, labels_of(found[one.id])) == (one.text, list(one.labels))
        assert found[one.id].tags == list(one.tags)
    for name in ("list", "joined"):
        assert labels_of(found[name]) == ["歧视", "暴恐"]
    assert labels_of(found["in_list"]) == ["正常", "歧视", "暴恐"]
    assert labels_of(found["other"]) == ["广告"]
    assert found["7"].text == 7
    # Of those without a label the ids alone are read, to be counted.
    for name in ("none", "null", "empty", "empty_list"):
        assert (found[name].text, labels_of(found[name])) == (None, [])
    assert labels_of(found["of_empty"]) == ["广告"]
    (by_server,) = [one for one in found.values() if ObjectId.is_valid(one.id)]
    assert by_server.text == "_x000D_"
    assert len({one.key for one in found.values()}) == len(found)


@pytest.mark.slow
def test_a_field_inside_of_a_field_has_a_dot(collection: Connection) -> None:
    every = read(collection, Fields("text_cn", "nested.label", None))
    (found,) = [one for one in every if one.labels is not None]
    assert len(every) == 611
    assert (found.text, found.labels, found.tags) == ("_x000D_", "暴恐", None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"password": SECRET}, "refuses user 'reader': wrong user or password.*PASSWORD"),
        ({"user": "nobody", "password": SECRET}, "refuses user 'nobody'"),
        ({"auth_source": "admin"}, "not in the database 'admin'.*extract.auth_source"),
        ({"user": None}, "who has not logged in may not read it; set extract.user"),
        ({"collection": "document"}, "no such collection.*did you mean 'documents'"),
        ({"database": "other"}, "may not read it|has no collection"),
    ],
)
def test_a_wrong_setting_is_one_line(
    change: dict[str, str | None], words: str, collection: Connection
) -> None:
    with pytest.raises(UserError, match=words) as caught:
        read(replace(collection, **change))
    shown = "".join(traceback.format_exception(caught.value))
    assert SECRET not in shown
    assert str(collection.password) not in shown
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (Fields("text", "n_labels", None), "'text'; expected one of.*did you mean 'text_cn'"),
        (Fields("text_cn", "label", None), "no document has such a field: .*'label'"),
        (Fields("text_cn", "n_labels", "tag"), "'tag'; .*did you mean 'tags'"),
    ],
)
def test_a_field_that_no_document_has_is_named_beside_the_nearest(
    fields: Fields, words: str, collection: Connection
) -> None:
    with pytest.raises(UserError, match=words):
        read(collection, fields)


@pytest.mark.slow
def test_a_dead_server_is_reported_soon() -> None:
    with pytest.raises(UserError, match=r"db.docs at 127.0.0.1:1: no MongoDB server answers"):
        read(replace(NOBODY, uri=f"{NOBODY.uri}/?serverSelectionTimeoutMS=100"))


@pytest.mark.slow
def test_a_server_that_accepts_and_says_nothing_is_reported_soon() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"mongodb://127.0.0.1:{silent.getsockname()[1]}"
        options = "serverSelectionTimeoutMS=200&connectTimeoutMS=100"
        with pytest.raises(UserError, match="no MongoDB server answers"):
            read(replace(NOBODY, uri=f"{uri}/?{options}"))


def test_a_slow_answer_has_another_remedy_than_to_wait_for_it_again() -> None:
    slow = NetworkTimeout("127.0.0.1:1: timed out (configured timeouts: socketTimeoutMS: 1ms)")
    for error, remedy in (
        (slow, r"did not answer in time .* an index .*label_field, .*HOST/\?socketTimeoutMS="),
        (AutoReconnect("connection closed"), r"connection broke off .*; run the same again$"),
    ):
        with pytest.raises(UserError, match=remedy), connect(NOBODY):
            raise error


def test_time_outs_are_short_where_the_uri_gives_none(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {}

    class Client:
        def __class_getitem__(cls, _: object) -> type["Client"]:
            return cls

        def __init__(self, uri: str, **options: object) -> None:
            given.update(options)
            raise ValueError("enough")

    monkeypatch.setattr(mongodb, "MongoClient", Client)
    with pytest.raises(UserError):
        read(replace(NOBODY, uri="mongodb://a/?connecttimeoutms=1"))
    assert given == {
        "appname": "newsrec",
        "serverSelectionTimeoutMS": 5_000,
        "socketTimeoutMS": 120_000,
    }


@pytest.mark.parametrize(
    "uri",
    [
        f"mongodb://me:{SECRET}@host:27017",
        "mongodb://me@host",
        f"mongodb://host/?tlsCertificateKeyFilePassword={SECRET}",
        f"mongodb://host/?authMechanismProperties=AWS_SESSION_TOKEN:{SECRET}",
    ],
)
def test_a_secret_in_the_uri_is_refused_and_not_shown(uri: str) -> None:
    with pytest.raises(UserError, match="NEWSREC_MONGODB_PASSWORD") as caught:
        read(replace(NOBODY, uri=uri))
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    "uri", ["", "localhost:27017", "http://a", "mongodb://", "mongodb://a:port", "mongodb://a/?x"]
)
def test_what_is_no_uri_is_refused(uri: str) -> None:
    with pytest.raises(UserError, match=r"extract.uri .*(does not begin|wrong)"):
        read(replace(NOBODY, uri=uri))


def test_a_password_is_never_shown() -> None:
    connection = replace(NOBODY, user="me", password=SECRET)
    assert SECRET not in repr(connection)
    assert connection.shown == "db.docs at 127.0.0.1:1"


@pytest.fixture
def without_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(mongodb.PASSWORD_VARIABLE, raising=False)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)


@pytest.mark.usefixtures("without_terminal")
def test_a_password_comes_from_the_environment_or_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert find_password(None) is None
    with pytest.raises(UserError, match=r"no password for the user .me..*no terminal"):
        find_password("me")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda prompt: f"typed at {prompt}")
    assert find_password("me") == "typed at Password of me for MongoDB: "
    monkeypatch.setenv(mongodb.PASSWORD_VARIABLE, SECRET)
    assert find_password("me") == SECRET
