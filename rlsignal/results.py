"""What the library hands back: result types with their printed form. numpy and the standard library only."""
