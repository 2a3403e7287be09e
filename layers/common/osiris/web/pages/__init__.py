"""What each page shows and does, by subject; `routes` lists them all."""
