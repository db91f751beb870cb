"""The leaderboard as a site of plain files, which needs no server and asks for nothing."""

from leaderboard.site._folder import check_site_folder, write_site
from leaderboard.site._pages import build_site

__all__ = ["build_site", "check_site_folder", "write_site"]
