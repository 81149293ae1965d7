"""Where reviews happen: comments and issues of GitHub and GitLab, from inside of their CI."""
