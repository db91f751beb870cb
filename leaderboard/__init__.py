"""The leaderboard: submissions, their scores, ranks, tables and pages."""
