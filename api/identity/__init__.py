"""Who is who: identifiers of people, what links them, merges that lose nothing and can be undone, guests' receipts."""
