"""What a file is, by the end of its name.

Owns data only: the values of `FileType` and the media types of downloads. Source of fact: usual values of real orgs.
"""

import mimetypes

TYPES = {
    "bmp": "BMP",
    "csv": "CSV",
    "doc": "WORD",
    "docx": "WORD_X",
    "gif": "GIF",
    "htm": "HTML",
    "html": "HTML",
    "jpeg": "JPG",
    "jpg": "JPG",
    "json": "JSON",
    "mp3": "MP3",
    "mp4": "MP4",
    "pdf": "PDF",
    "png": "PNG",
    "ppt": "POWER_POINT",
    "pptx": "POWER_POINT_X",
    "rtf": "RTF",
    "svg": "SVG",
    "tif": "TIFF",
    "tiff": "TIFF",
    "txt": "TEXT",
    "xls": "EXCEL",
    "xlsx": "EXCEL_X",
    "xml": "XML",
    "zip": "ZIP",
}


def extension(path: str) -> str | None:
    """The end of a file's name in lower case, or None when it has none."""
    name = path.replace("\\", "/").rpartition("/")[2]
    stem, dot, end = name.rpartition(".")
    return end.lower() if dot and stem and end else None


def title(path: str) -> str:
    """The name of a file without its folder and end."""
    name = path.replace("\\", "/").rpartition("/")[2]
    end = extension(path)
    return name[: -len(end) - 1] if end else name


def kind(end: str | None) -> str:
    """The `FileType` of a file with this end."""
    return TYPES.get(end or "", end.upper() if end else "UNKNOWN")


def media(end: str | None) -> str:
    """The media type of a file with this end."""
    return mimetypes.types_map.get(f".{end}", "application/octet-stream")
