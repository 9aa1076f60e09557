"""`moa log …` and `moa witness`: the gateway's log of acts from outside."""
