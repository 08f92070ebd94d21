"""news.tsv read as columns, every row checked."""

from pathlib import Path

from newsrec.news.mind.columns import are_ids, pieces, read_columns
from newsrec.news.mind.tables import NEWS_COLUMNS, SEPARATORS, News, read_news, read_rows


def read_news_columns(path: Path) -> dict[str, News]:
    """What `read_news` returns, or raises, in a tenth of its time."""
    next(read_rows(path, NEWS_COLUMNS))  # raises if this is no such file
    news: dict[str, News] = {}
    topics: dict[str, str] = {}
    num_rows = 0
    for _, _, data in pieces(path):
        found = read_columns(data, NEWS_COLUMNS)
        if found is None or not are_ids(found[0][0], " " + SEPARATORS):
            return read_news(path)
        ids, categories, subcategories, titles = (column.to_pylist() for column in found[0][:4])
        for category in set(categories) - topics.keys():
            topics[category] = " ".join(category.split())
        topic_of = (topics[category] for category in categories)
        rows = zip(ids, topic_of, subcategories, titles, strict=True)
        news.update((row[0], News(*row)) for row in rows)
        num_rows += len(ids)
    return news if len(news) == num_rows else read_news(path)
